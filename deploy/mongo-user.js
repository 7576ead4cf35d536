// Run once by the image of MongoDB, when its data folder is empty: the user that Keywright connects as. `dbAdmin` lets it change the index that
// ends audit events when their retention is changed.
db.getSiblingDB("keywright").createUser({
  user: "keywright",
  pwd: process.env.MONGO_PASSWORD,
  roles: ["readWrite", "dbAdmin"],
});

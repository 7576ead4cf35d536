// The image of MongoDB runs this once, when its data folder is empty. It creates the user that Keywright connects as. `dbAdmin` lets it
// change the index that removes audit events when their retention time is changed.
db.getSiblingDB("keywright").createUser({
  user: "keywright",
  pwd: process.env.MONGO_PASSWORD,
  roles: ["readWrite", "dbAdmin"],
});

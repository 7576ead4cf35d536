/** A process that does nothing. What its recorder finds is the machine's. */
setInterval(() => {}, 60_000);
console.info("listening on http://127.0.0.1:1");

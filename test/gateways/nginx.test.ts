import { describeGateway } from "./cases.ts";

await describeGateway(
  {
    program: "nginx",
    files: ["nginx.conf"],
    arguments: (config, folder) => ["-p", folder, "-c", config, "-e", "stderr", "-g", `daemon off; pid ${folder}/pid; user root;`],
    // Debian's folders for these do not exist without its package.
    replace: (folder) => ({
      "http {\n": [
        "http {\n  access_log off;",
        ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};\n`),
      ].join("\n"),
      "worker_processes auto;": "worker_processes 1;",
    }),
  },
  {
    dead: 503,
    slow: 503,
    twoHeaders: 400,
    longest: 15000,
    tooLong: 400,
    ownBody: true,
    showsLimits: true,
    passesOthers: true,
    upgrades: [],
    stopped: { "    keepalive 512;": "    server 127.0.0.1:1 fail_timeout=1s;\n    keepalive 512;" },
  },
);

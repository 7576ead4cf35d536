const endpoints = "        cluster_name: keywright\n        endpoints:\n          - lb_endpoints:\n";

/** Adds a process of Keywright that is stopped to either of Envoy's recipes. */
export const stoppedEnvoy = {
  [endpoints]: `${endpoints}              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } }\n`,
};

import type { Registry } from "./registry.ts";

/** Upper bounds in seconds. */
const gcBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Metrics of the process, with the names that other Node services use. */
export function processMetrics({ counter, gauge, histogram }: Registry) {
  return {
    cpuSeconds: counter({ name: "process_cpu_seconds_total", help: "User and system CPU time." }),
    residentMemory: gauge({ name: "process_resident_memory_bytes", help: "Resident memory." }),
    startTime: gauge({ name: "process_start_time_seconds", combine: "min", help: "When the process started, in seconds since the epoch." }),
    openFiles: gauge({ name: "process_open_fds", help: "Open file descriptors; 0 if the system does not report them." }),
    heapUsed: gauge({ name: "nodejs_heap_size_used_bytes", help: "Heap memory in use." }),
    heapTotal: gauge({ name: "nodejs_heap_size_total_bytes", help: "Heap memory reserved." }),
    externalMemory: gauge({ name: "nodejs_external_memory_bytes", help: "Memory of buffers and other objects outside the heap." }),
    eventLoopDelay: gauge({
      name: "nodejs_eventloop_delay_seconds",
      combine: "max",
      help: "Delay of the event loop since the previous scrape, by quantile; quantile 1 is the maximum.",
      labels: ["quantile"],
    }),
    eventLoopUtilization: gauge({
      name: "nodejs_eventloop_utilization",
      combine: "max",
      help: "Share of the time since the previous scrape in which the event loop was busy.",
    }),
    gcDuration: histogram({
      name: "nodejs_gc_duration_seconds",
      help: "Garbage collections by kind: major, minor, incremental, weakcb.",
      labels: ["kind"],
      buckets: gcBuckets,
    }),
  };
}

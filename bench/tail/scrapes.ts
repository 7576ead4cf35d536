/** Scrapes the metrics every second. Returns a function that stops, and tells how reads were served and how far caches were trusted. */
export function startScrapes(url: string): () => Promise<string> {
  let first: ReadonlyMap<string, number> | undefined;
  let last: ReadonlyMap<string, number> = new Map();
  let count = 0;
  let untrustedCount = 0;
  const scrape = async () => {
    last = samplesOf(await (await fetch(url)).text());
    first ??= last;
    count += 1;
    untrustedCount += 1 - (last.get('keywright_cache_trust{mode="leased"}') ?? 0);
  };
  const timer = setInterval(() => void scrape(), 1000);
  const started = scrape();
  return async () => {
    clearInterval(timer);
    await started;
    await scrape();
    const grown = [...last].filter(([name]) => /^keywright_cache_(reads|doubts|gaps|generation_changes)/.test(name));
    const lines = grown.map(([name, value]) => `${name.slice("keywright_cache_".length)} ${value - (first?.get(name) ?? 0)}`);
    return `caches in doubt in ${untrustedCount} of ${count} scrapes; ${lines.join(", ")}`;
  };
}

function samplesOf(text: string): Map<string, number> {
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

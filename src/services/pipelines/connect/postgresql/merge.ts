/** Several streams of lines as one. */

type Chunks = AsyncIterator<Uint8Array>;

interface Arrival {
  source: Chunks;
  /** Settled. */
  result: Promise<IteratorResult<Uint8Array>>;
}

const lineFeed = 0x0a;

/**
 * The chunks of all sources in the order in which they come; of each source one is fetched ahead. After a chunk that ends within a line comes the rest of that line.
 * Throws the first error of a source. In the end, whatever way it comes, `end` ends the sources.
 */
export async function* merged(
  sources: readonly Chunks[],
  end: () => Promise<unknown>,
): AsyncGenerator<Uint8Array> {
  const arrived: Arrival[] = [];
  let wake = () => {};
  const fetchFrom = (source: Chunks) => {
    const result = source.next();
    const arrive = () => {
      arrived.push({ source, result });
      wake();
    };
    result.then(arrive, arrive);
  };
  try {
    sources.forEach(fetchFrom);
    for (let left = sources.length; left > 0; ) {
      const arrival = arrived.shift();
      if (!arrival) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const { source } = arrival;
      let result = await arrival.result;
      while (!result.done) {
        yield result.value;
        if (result.value.at(-1) === lineFeed) break;
        result = await source.next();
      }
      if (result.done) left--;
      else fetchFrom(source);
    }
  } finally {
    await end();
  }
}

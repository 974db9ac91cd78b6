import { Presets, SingleBar } from "cli-progress";

export interface CollectProgress {
  current: number;
  total: number;
  currentFile: string;
}

export interface ProgressDisplay {
  update(progress: CollectProgress): void;
  stop(): void;
}

const lineMilliseconds = 1_000;

/** A bar on a terminal; elsewhere (a file, a pipe, cron) plain lines, at most one a second. */
export function progressDisplay(output: NodeJS.WriteStream): ProgressDisplay {
  return output.isTTY ? bar(output) : lines(output);
}

function bar(stream: NodeJS.WriteStream): ProgressDisplay {
  const format = "{bar} {percentage}% | {value}/{total} | {file}";
  const single = new SingleBar(
    { format, stream, hideCursor: true, clearOnComplete: false, fps: 10 },
    Presets.shades_classic,
  );
  let started = false;
  return {
    update({ current, total, currentFile }) {
      if (!started) single.start(total, 0, { file: "" });
      started = true;
      single.setTotal(total);
      single.update(current, { file: currentFile });
    },
    stop() {
      if (started) single.stop();
    },
  };
}

function lines(stream: NodeJS.WriteStream): ProgressDisplay {
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    update({ current, total, currentFile }) {
      const now = performance.now();
      if (now - toldAt < lineMilliseconds) return;
      toldAt = now;
      stream.write(`${current}/${total} ${currentFile}\n`);
    },
    stop() {},
  };
}

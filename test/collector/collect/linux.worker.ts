import { openPath } from "../../../src/platform/linux/descriptors.ts";
import { errorCode } from "../../../src/platform/linux/errors.ts";
import { openFlag } from "../../../src/platform/linux/numbers.ts";

declare const self: Worker;

/** Fails in two ways by turns while making garbage, and counts the answers that are not the right one. */
self.onmessage = ({ data: rounds }: MessageEvent<number>) => {
  let wrong = 0;
  let garbage: object[] = [];
  for (let round = 0; round < rounds; round++) {
    const [path, expected] = round % 2 === 0 ? ["/nonexistent/x", "ENOENT"] : ["/etc/passwd/x", "ENOTDIR"];
    garbage.push({ path, bytes: new Uint8Array(200) });
    if (garbage.length > 5000) garbage = [];
    try {
      openPath(path ?? "", openFlag.readOnly);
      wrong++;
    } catch (error) {
      if (errorCode(error) !== expected) wrong++;
    }
  }
  self.postMessage(wrong);
};

import type { CopyContext } from "./hash.ts";
import type { Placed } from "./placing.ts";
import type { SourceTree } from "./source-tree.ts";
import type { TargetTree } from "./target-tree.ts";
import type { Temporaries } from "./temporaries.ts";

/** All that one copying thread works with. */
export interface CopySetting {
  sources: SourceTree;
  target: TargetTree;
  temporaries: Temporaries;
  context: CopyContext;
  /** Sources are removed afterwards: copies are read back, and whatever is in doubt fails. */
  moving: boolean;
  /** Whether directories are made although nothing may come to lie in them. */
  keepsEmpty: boolean;
  /** Whether an identical file in the target counts as the copy; not where it may be a source itself. */
  acceptsPresent: boolean;
  /** What earlier runs of this collection placed without getting to journal it, by row. */
  own: ReadonlyMap<number, readonly Placed[]>;
}

/** Thrown when the target takes nothing more: full, read-only, not writable. Ends the collection. */
export class TargetFailure extends Error {
  override readonly name = "TargetFailure";
}

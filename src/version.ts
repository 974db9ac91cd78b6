import manifest from "../package.json";

/** Set by the build (`scripts/build.ts`). */
declare const QUINTET_COMMIT: string | undefined;

/** package.json's version. */
export const version = manifest.version;

/** The commit that the executable was built from; `development` when run from source. */
export const commit = typeof QUINTET_COMMIT === "undefined" ? "development" : QUINTET_COMMIT;

/**
 * The files that the executable carries (PostgreSQL, migrations, documentation pages), unpacked once into
 * `<data>/runtime/<hash>`. The hash is that of the packed bundles, so an upgrade unpacks beside the old files.
 * What few need (DuckDB) is unpacked into a directory of its own when it is first asked for.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { StartupError } from "../telemetry/startup-error.ts";

/** What `scripts/pack.ts` writes beside the bundles. */
export interface AssetManifest {
  /** Fingerprint of what was packed: tells the packer whether there is anything to do. */
  inputs: string;
  /** zstd level of the bundles. */
  level: number;
  bundles: Bundle[];
}

interface Bundle {
  name: string;
  sha256: string;
  /** `files` and `bytes` count what is inside, unpacked. */
  files: number;
  bytes: number;
  /** Not unpacked at the start, but when somebody asks for it. */
  onDemand: boolean;
}

/** Where the unpacked files are. All paths are absolute. */
export interface Runtime {
  directory: string;
  postgres: string;
  migrations: string;
  documentation: string;
}

const packedDirectory = Bun.isStandaloneExecutable
  ? join(import.meta.dir, "assets")
  : join(import.meta.dir, "../../../dist/assets");

/** Written last into an unpacked directory: where it is missing, the directory is half done. */
const completeMark = ".complete";

function readManifest(): AssetManifest {
  return JSON.parse(readFileSync(join(packedDirectory, "manifest.json"), "utf8")) as AssetManifest;
}

const atStart = ({ bundles }: AssetManifest) => bundles.filter(({ onDemand }) => !onDemand);

function hashOf(bundles: readonly Bundle[]): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const { name, sha256 } of bundles) hash.update(`${name} ${sha256}\n`);
  return hash.digest("hex").slice(0, 16);
}

async function unpackBundle(bundle: Bundle, directory: string): Promise<void> {
  const packed = readFileSync(join(packedDirectory, `${bundle.name}.tar.zst`));
  const found = new Bun.CryptoHasher("sha256").update(packed).digest("hex");
  if (found !== bundle.sha256)
    throw new Error(`the executable is damaged: ${bundle.name} does not match its checksum`);
  await new Bun.Archive(Bun.zstdDecompressSync(packed)).extract(join(directory, bundle.name));
}

/** Fails before anything is written when the files would not fit: a reader that runs out of disk does not say so. */
function requireSpace(directory: string, bundles: readonly Bundle[]): void {
  const { bavail, bsize } = statfsSync(directory);
  const needed = bundles.reduce((sum, bundle) => sum + bundle.bytes, 0);
  if (bavail * bsize < needed)
    throw new StartupError(
      `cannot unpack ${Math.ceil(needed / 2 ** 20)} MiB into ${directory}: No space left on device`,
    );
}

/** Tars made by Bun.Archive carry no modes: directories must be open to PostgreSQL's own user, programs executable. */
function setModes(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const executable = entry.isDirectory() || entry.parentPath.endsWith("/bin");
    chmodSync(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
  chmodSync(directory, 0o755);
}

function isComplete(directory: string, bundles: readonly Bundle[]): boolean {
  const mark = join(directory, completeMark);
  if (!existsSync(mark)) return false;
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.length === bundles.reduce((sum, bundle) => sum + bundle.files, 1);
}

/** Safe when several processes do it at once: each unpacks aside and the first rename wins. */
async function unpack(dataDirectory: string, bundles: readonly Bundle[]): Promise<string> {
  const runtimes = join(dataDirectory, "runtime");
  const directory = join(runtimes, hashOf(bundles));
  if (isComplete(directory, bundles)) return directory;
  const temporary = `${directory}.${process.pid}.partial`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true, mode: 0o755 });
  try {
    requireSpace(temporary, bundles);
    await Promise.all(bundles.map((bundle) => unpackBundle(bundle, temporary)));
    setModes(temporary);
    writeFileSync(join(temporary, completeMark), "");
    // A damaged directory of the same hash is moved away first: rename never replaces one that holds files.
    if (existsSync(directory) && !isComplete(directory, bundles))
      renameSync(directory, `${directory}.${process.pid}.damaged`);
    try {
      renameSync(temporary, directory);
    } catch (error) {
      if (!isComplete(directory, bundles)) throw error;
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return directory;
}

/**
 * Makes sure that this executable's files are unpacked below `dataDirectory` and answers where. Safe when several
 * processes do it at once. Throws when the disk is full or not writable.
 */
export async function unpackAssets(dataDirectory: string): Promise<Runtime> {
  const directory = await unpack(dataDirectory, atStart(readManifest()));
  return {
    directory,
    postgres: join(directory, "postgres"),
    migrations: join(directory, "migrations"),
    documentation: join(directory, "documentation"),
  };
}

/** The same for one bundle that is not unpacked at the start; answers the directory with its files. */
export async function unpackOnDemand(dataDirectory: string, name: string): Promise<string> {
  const bundles = readManifest().bundles.filter((bundle) => bundle.name === name);
  return join(await unpack(dataDirectory, bundles), name);
}

/** Removes what other versions, or attempts that were cut off, left unpacked. Call it when nothing of them runs. */
export function removeOldAssets(runtime: Runtime): void {
  const runtimes = join(runtime.directory, "..");
  const { bundles } = readManifest();
  const kept = new Set(bundles.filter(({ onDemand }) => onDemand).map((bundle) => hashOf([bundle])));
  for (const name of readdirSync(runtimes))
    if (join(runtimes, name) !== runtime.directory && !kept.has(name))
      rmSync(join(runtimes, name), { recursive: true, force: true });
}

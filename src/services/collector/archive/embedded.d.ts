/** Files of packages that come without types: what is imported is where the file is. */

declare module "bzip2-wasm/bzip2-1.0.8/bzip2.wasm" {
  const path: string;
  export default path;
}

declare module "7zip-bin/linux/x64/7za" {
  const path: string;
  export default path;
}

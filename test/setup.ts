import { afterAll, setDefaultTimeout } from "bun:test";
import { removeTemporaryDirectories } from "./support/server.ts";

// Tests start real servers and databases; a hang must still end well before CI's own limit.
setDefaultTimeout(120_000);

afterAll(removeTemporaryDirectories);

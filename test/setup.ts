import { afterAll } from "bun:test";
import { removeTemporaryDirectories } from "./support/server.ts";

afterAll(removeTemporaryDirectories);

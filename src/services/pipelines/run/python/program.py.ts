/**
 * The program that runs a transformation, carried as text in the executable. Descriptor 0: a line of JSON (`Task` of transform.ts), then rows in
 * canonical form. Descriptor 1: a line of JSON (`Header` of result.ts), then rows.
 */
import { mainPart } from "./program/main.py.ts";
import { readPart } from "./program/read.py.ts";
import { typesPart } from "./program/types.py.ts";
import { writePart } from "./program/write.py.ts";

/** For `python3 -c`. pandas is imported only once the code is known to compile. */
export const program = [readPart, typesPart, writePart, mainPart].join("\n");

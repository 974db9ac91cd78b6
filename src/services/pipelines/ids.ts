/** Identifiers as the document shows them: `pipeline_123`. Plain numbers are taken too. */
import { notFound } from "../../platform/http/failures.ts";

export type IdKind = "pipeline" | "project" | "connector" | "run" | "trigger";

export const idOf = (kind: IdKind, number: number): string => `${kind}_${number}`;

/** The number of an identifier; null when it is none. */
export function numberOf(kind: IdKind, id: string): number | null {
  const digits = new RegExp(`^(?:${kind}_)?(\\d{1,9})$`).exec(id)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** As `numberOf`. Fails with `notFound`. */
export function requireNumber(kind: IdKind, id: string): number {
  const number = numberOf(kind, id);
  if (number === null) throw unknown(kind);
  return number;
}

const names: Record<IdKind, string> = {
  pipeline: "Pipeline",
  project: "Project",
  connector: "Connector",
  run: "Run",
  trigger: "Trigger",
};

export const unknown = (kind: IdKind) => notFound(`${names[kind]} not found`);

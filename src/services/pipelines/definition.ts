/** What a pipeline does: where from, what with it, where to. As clients send it, checked. */
import { z } from "zod";
import { isStorableJson } from "../../platform/database/array-literal.ts";

const bad = "characters that cannot be stored";
const storable = (value: unknown): boolean => isStorableJson(JSON.stringify(value) ?? "");

/** Any fields that the database can hold. */
export const record = z.record(z.string(), z.unknown()).refine(storable, bad);

/** A time zone by its name in the IANA database. */
export const timezone = z
  .string()
  .max(100)
  .refine((name) => {
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return true;
    } catch {
      return false;
    }
  }, "not a time zone");

/** A source or target: a connector with what is special here, or all of it in place. */
const endpoint = z
  .object({
    id: z.string().min(1).max(100).refine(storable, bad).optional(),
    type: z.string().min(1).max(50).optional(),
    connector_id: z.string().min(1).max(50).optional(),
    config: record.default({}),
  })
  .refine(({ type, connector_id }) => type !== undefined || connector_id !== undefined, {
    error: "type or connector_id is needed",
  });

const transformation = z.object({
  id: z.string().min(1).max(100).refine(storable, bad).optional(),
  type: z.enum(["sql", "python"]),
  code: z.string().min(1).max(1_000_000).refine(storable, bad),
});

const columns = z.array(z.string().min(1).max(200)).min(1).max(100);
const bound = z.union([z.number(), z.string().max(100)]);

/** A rule that staged rows must keep before they are published. */
const check = z.discriminatedUnion("type", [
  z.object({ type: z.literal("not_null"), columns }),
  z.object({ type: z.literal("unique"), columns }),
  z.object({
    type: z.literal("accepted_range"),
    column: z.string().min(1).max(200),
    min: bound.optional(),
    max: bound.optional(),
  }),
  z.object({ type: z.literal("row_count_min"), value: z.int().min(0) }),
  z.object({
    type: z.literal("sql"),
    name: z.string().max(200).optional(),
    query: z
      .string()
      .min(1)
      .max(100_000)
      .describe("Must return no rows; `staged` is the table of staged rows"),
  }),
]);

/** How rows are loaded, and what else a run keeps to. */
export const options = z
  .looseObject({
    mode: z.enum(["append", "replace", "merge"]).default("append"),
    key: z.union([z.string().transform((name) => [name]), columns]).default([]),
    cursor: z.string().min(1).max(200).optional().describe("Only rows beyond what was read last"),
    on_schema_change: z.enum(["fail", "add_columns"]).default("fail"),
    checks: z.array(check).max(100).default([]),
    retries: z.int().min(0).max(20).default(2),
    retry_delay_seconds: z.number().min(0).max(86_400).default(10),
    timeout_seconds: z
      .int()
      .min(1)
      .max(7 * 86_400)
      .default(86_400),
    overlap: z.enum(["wait", "refuse"]).default("wait"),
    timezone: timezone.optional(),
  })
  .refine(storable, bad);

/** Names that stand for tables in SQL, whatever their case. */
function differ(endpoints: readonly { id?: string | undefined }[]): boolean {
  const names = endpoints.map(({ id }, index) => (id ?? `source_${index + 1}`).toLowerCase());
  return new Set(names).size === names.length && !names.slice(1).includes("input");
}

export const definition = z.object({
  sources: z
    .array(endpoint)
    .max(20)
    .refine(differ, "two sources have the same id, or one that is not the first is called input")
    .default([]),
  transformations: z.array(transformation).max(50).default([]),
  targets: z.array(endpoint).max(20).default([]),
  config: options.prefault({}),
});

/** A source or target as it is kept: its secrets sealed. */
export type Endpoint = z.output<typeof endpoint> & { sealed?: string | undefined };
export type Definition = Omit<z.output<typeof definition>, "sources" | "targets"> & {
  sources: Endpoint[];
  targets: Endpoint[];
};
export type Check = z.output<typeof check>;

/** With an id on everything: `source_1`, `transform_1`, `target_1`, where it has none of its own. */
export function named({ sources, transformations, targets, config }: Definition): Definition {
  const name =
    (kind: string) =>
    <T extends { id?: string | undefined }>(part: T, index: number): T => ({
      ...part,
      id: part.id ?? `${kind}_${index + 1}`,
    });
  return {
    sources: sources.map(name("source")),
    transformations: transformations.map(name("transform")),
    targets: targets.map(name("target")),
    config,
  };
}

import { expect, test } from "bun:test";
import { z } from "zod";
import { Failure } from "../../../src/platform/http/failures.ts";
import { parse } from "../../../src/platform/http/validation.ts";

function problems(schema: z.ZodType, input: unknown): unknown[] {
  try {
    parse(schema, input, "body");
  } catch (error) {
    if (error instanceof Failure) return error.options.problems ?? [];
    throw error;
  }
  return [];
}

/** The only problem of a field `x`: message, type, context. */
const row = (schema: z.ZodType, value: unknown, message: string, type: string, context?: object) =>
  [schema, value, { path: ["body", "x"], message, type, ...(context ? { context } : {}) }] as const;

test.each([
  row(z.string(), undefined, "field required", "value_error.missing"),
  row(z.string(), null, "none is not an allowed value", "type_error.none.not_allowed"),
  row(z.string(), 1, "str type expected", "type_error.str"),
  row(z.int(), "1", "value is not a valid integer", "type_error.integer"),
  row(z.int(), 1.5, "value is not a valid integer", "type_error.integer"),
  row(z.int(), 2 ** 60, "value is not a valid integer", "type_error.integer"),
  row(z.number(), "1", "value is not a valid float", "type_error.float"),
  row(z.boolean(), "yes", "value could not be parsed to a boolean", "type_error.bool"),
  row(z.array(z.string()), {}, "value is not a valid list", "type_error.list"),
  row(z.object({}), [], "value is not a valid dict", "type_error.dict"),
  row(
    z.array(z.string()).min(1),
    [],
    "ensure this value has at least 1 items",
    "value_error.list.min_items",
    {
      limit_value: 1,
    },
  ),
  row(
    z.array(z.int()).max(1),
    [1, 2],
    "ensure this value has at most 1 items",
    "value_error.list.max_items",
    {
      limit_value: 1,
    },
  ),
  row(
    z.string().min(3),
    "ab",
    "ensure this value has at least 3 characters",
    "value_error.any_str.min_length",
    {
      limit_value: 3,
    },
  ),
  row(
    z.string().max(1),
    "ab",
    "ensure this value has at most 1 characters",
    "value_error.any_str.max_length",
    {
      limit_value: 1,
    },
  ),
  row(z.int().gt(0), 0, "ensure this value is greater than 0", "value_error.number.not_gt", {
    limit_value: 0,
  }),
  row(z.int().min(1), 0, "ensure this value is greater than or equal to 1", "value_error.number.not_ge", {
    limit_value: 1,
  }),
  row(z.int().lt(9), 9, "ensure this value is less than 9", "value_error.number.not_lt", { limit_value: 9 }),
  row(z.int().max(9), 10, "ensure this value is less than or equal to 9", "value_error.number.not_le", {
    limit_value: 9,
  }),
  row(z.email(), "nobody", "value is not a valid email address", "value_error.email"),
  row(
    z.enum(["copy", "move"]),
    "x",
    "value is not a valid enumeration member; permitted: 'copy', 'move'",
    "type_error.enum",
    { enum_values: ["copy", "move"] },
  ),
  row(
    z.string().refine(() => false, "not this one"),
    "x",
    "not this one",
    "value_error",
  ),
])("%#", (schema, value, problem) => {
  expect(problems(z.object({ x: schema }), { x: value })).toEqual([problem]);
});

test("every problem at once, in the order of the fields, at its own path", () => {
  const schema = z.strictObject({
    a: z.string(),
    b: z.object({ c: z.array(z.int()) }),
    d: z.array(
      z.union([z.string(), z.object({ e: z.string(), f: z.enum(["g"], { error: "only g" }).optional() })]),
    ),
  });
  expect(problems(schema, { b: { c: [1, "2"] }, d: ["x", { e: "y", f: "h" }, {}, 7], z: 1 })).toEqual([
    { path: ["body", "a"], message: "field required", type: "value_error.missing" },
    { path: ["body", "b", "c", 1], message: "value is not a valid integer", type: "type_error.integer" },
    { path: ["body", "d", 1, "f"], message: "only g", type: "value_error" },
    { path: ["body", "d", 2, "e"], message: "field required", type: "value_error.missing" },
    { path: ["body", "d", 3], message: "value is not a valid dict", type: "type_error.dict" },
    { path: ["body", "z"], message: "extra fields not permitted", type: "value_error.extra" },
  ]);
});

test("odd inputs are refused, not stumbled over", () => {
  const schema = z.strictObject({ a: z.string() });
  for (const input of [
    undefined,
    null,
    1,
    "x",
    [],
    JSON.parse('{"__proto__": {"a": "x"}}'),
    { constructor: 1 },
  ])
    expect(problems(schema, input).length).toBeGreaterThan(0);
});

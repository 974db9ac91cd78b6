/** Problems of an input in FastAPI's form (pydantic 1 texts), made from zod's issues. */
import { z } from "zod";
import { type Problem, unprocessable } from "./failures.ts";

type Issue = z.core.$ZodIssue;
type Path = (string | number)[];

/** Where an input came from; the first element of every problem's path. */
export type Location = "body" | "query" | "path";

type Described = Omit<Problem, "path">;

const missing: Described = { message: "field required", type: "value_error.missing" };
const none: Described = { message: "none is not an allowed value", type: "type_error.none.not_allowed" };

/** By what zod expected. */
const wrongType: Record<string, Described> = {
  string: { message: "str type expected", type: "type_error.str" },
  int: { message: "value is not a valid integer", type: "type_error.integer" },
  number: { message: "value is not a valid float", type: "type_error.float" },
  boolean: { message: "value could not be parsed to a boolean", type: "type_error.bool" },
  array: { message: "value is not a valid list", type: "type_error.list" },
  object: { message: "value is not a valid dict", type: "type_error.dict" },
  record: { message: "value is not a valid dict", type: "type_error.dict" },
};

const formats: Record<string, Described> = {
  email: { message: "value is not a valid email address", type: "value_error.email" },
  datetime: { message: "invalid datetime format", type: "value_error.datetime" },
  date: { message: "invalid date format", type: "value_error.date" },
  uuid: { message: "value is not a valid uuid", type: "type_error.uuid" },
  url: { message: "invalid or missing URL scheme", type: "value_error.url.scheme" },
};

interface Bound {
  origin: string;
  limit: number | bigint;
  inclusive: boolean;
}

function bound({ origin, limit, inclusive }: Bound, side: "least" | "most"): Described {
  const context = { limit_value: Number(limit) };
  const least = side === "least";
  if (origin === "array" || origin === "set")
    return {
      message: `ensure this value has at ${side} ${limit} items`,
      type: `value_error.list.${least ? "min" : "max"}_items`,
      context,
    };
  if (origin === "string")
    return {
      message: `ensure this value has at ${side} ${limit} characters`,
      type: `value_error.any_str.${least ? "min" : "max"}_length`,
      context,
    };
  const relation = `${least ? "greater" : "less"} than${inclusive ? " or equal to" : ""}`;
  const name = `${least ? "g" : "l"}${inclusive ? "e" : "t"}`;
  return {
    message: `ensure this value is ${relation} ${limit}`,
    type: `value_error.number.not_${name}`,
    context,
  };
}

/** zod words its own texts like this; any other text of an enumeration was written by the schema's author. */
const generatedText = /^Invalid (option|input)\b/;

function enumeration(issue: Extract<Issue, { code: "invalid_value" }>): Described {
  if (!generatedText.test(issue.message)) return { message: issue.message, type: "value_error" };
  const permitted = issue.values.map((value) => (typeof value === "string" ? `'${value}'` : String(value)));
  return {
    message: `value is not a valid enumeration member; permitted: ${permitted.join(", ")}`,
    type: "type_error.enum",
    context: { enum_values: issue.values },
  };
}

function describe(issue: Issue, value: unknown): Described {
  switch (issue.code) {
    case "invalid_type":
      if (issue.message === wrongType.int?.message) return wrongType.int;
      return wrongType[issue.expected] ?? { message: issue.message, type: "type_error" };
    case "too_small":
      return bound(
        { origin: issue.origin, limit: issue.minimum, inclusive: issue.inclusive ?? true },
        "least",
      );
    case "too_big":
      if (issue.origin === "int" && typeof value === "number" && !Number.isSafeInteger(value))
        return wrongType.int ?? none;
      return bound(
        { origin: issue.origin, limit: issue.maximum, inclusive: issue.inclusive ?? true },
        "most",
      );
    case "invalid_format":
      return formats[issue.format] ?? { message: issue.message, type: `value_error.${issue.format}` };
    case "invalid_value":
      return enumeration(issue);
    case "custom":
      return { message: issue.message, type: String(issue.params?.type ?? "value_error") };
    case "not_multiple_of":
    case "unrecognized_keys":
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
      return { message: issue.message, type: "value_error" };
  }
}

/** The value at a path, undefined where it leads nowhere. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    input,
  );
}

const keys = (path: readonly PropertyKey[]): Path =>
  path.map((key) => (typeof key === "number" ? key : String(key)));

/**
 * Of a union's alternatives the one that the value was meant for: it got furthest, so its first problem lies deepest;
 * of two that fail at once the last is told.
 */
function meantAlternative(alternatives: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (issues: readonly Issue[]) => Math.max(0, ...issues.map((issue) => issue.path.length));
  return alternatives.reduce(
    (best, next) => (depth(next) >= depth(best) ? next : best),
    alternatives[0] ?? [],
  );
}

function expand(issue: Issue, input: unknown, above: Path): Problem[] {
  const path = [...above, ...keys(issue.path)];
  const value = valueAt(input, issue.path);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: "extra fields not permitted",
      type: "value_error.extra",
    }));
  if (value === undefined && issue.code !== "custom") return [{ path, ...missing }];
  if (value === null && issue.code !== "custom") return [{ path, ...none }];
  if (issue.code === "invalid_union")
    return meantAlternative(issue.errors).flatMap((inner) => expand(inner, value, path));
  return [{ path, ...describe(issue, value) }];
}

/** zod says of a text that it is no number, also where only a whole one would do: its own message keeps the difference. */
const nameIntegers: z.core.$ZodErrorMap = ({ code, inst }) =>
  code === "invalid_type" && inst instanceof z.core.$ZodNumberFormat ? wrongType.int?.message : undefined;

/** Every problem of `input`, in the order of the schema's fields; none when it fits. */
export function problemsOf(schema: z.ZodType, input: unknown, location: Location): Problem[] {
  const { error } = schema.safeParse(input, { error: nameIntegers });
  return error?.issues.flatMap((issue) => expand(issue, input, [location])) ?? [];
}

/** The value that `schema` makes of `input`. Fails with `unprocessable` that carries every problem. */
export function parse<S extends z.ZodType>(schema: S, input: unknown, location: Location): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw unprocessable("Validation error", { problems: problemsOf(schema, input, location) });
}

/** The problem of a body that is no JSON; `error` is what JSON.parse threw. */
export function jsonProblem(error: unknown): Problem {
  const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : "not JSON";
  return {
    path: ["body"],
    message: `Invalid JSON: ${reason}`,
    type: "value_error.jsondecode",
    context: { msg: reason },
  };
}

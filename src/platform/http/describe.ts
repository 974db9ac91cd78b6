/** Words for the API's documentation, for routes whose hot path does without Elysia's validation of bodies and answers. */
import type { DocumentDecoration } from "elysia";
import { z } from "zod";

/** A zod schema as JSON Schema 2020-12, which OpenAPI 3.1 speaks, as clients see it. */
export const jsonSchemaOf = (schema: z.ZodType) =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });

const json = (schema: z.ZodType) => ({ "application/json": { schema: jsonSchemaOf(schema) } });

/** The `detail` of a route: what it takes and answers, by status. */
export function describe({ body, answers }: { body: z.ZodType; answers: Record<number, z.ZodType> }) {
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: schema.description ?? "", content: json(schema) },
  ]);
  const described = {
    requestBody: { required: true, content: json(body) },
    responses: Object.fromEntries(responses),
  };
  // Elysia's types know the JSON Schema of OpenAPI 3.0 only.
  return described as unknown as Pick<DocumentDecoration, "requestBody" | "responses">;
}

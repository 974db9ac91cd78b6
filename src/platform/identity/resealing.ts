/** A new sealing key: whatever stands in the database sealed under the previous one is sealed anew. */
import type { Sql } from "postgres";
import { type Sealer, sealedForms } from "./sealing.ts";

/** A column that holds sealed forms, alone or anywhere in its text or JSON. */
export interface SealedColumn {
  schema: string;
  table: string;
  column: string;
  type: "text" | "jsonb";
}

/** Seals anew what these columns hold; answers how many rows changed. May be repeated, also by several servers at once. */
export async function resealAll(sql: Sql, sealer: Sealer, columns: readonly SealedColumn[]): Promise<number> {
  let changed = 0;
  for (const { schema, table, column, type } of columns)
    await sql.begin(async (tx) => {
      const place = tx`${tx(schema)}.${tx(table)}`;
      const rows = await tx<
        { at: string; text: string }[]
      >`select ctid::text as at, ${tx(column)}::text as text
        from ${place} where ${tx(column)}::text like ${`%v1.%`} for update`;
      for (const { at, text } of rows) {
        const anew = text.replace(sealedForms, (form) => sealer.reseal(form));
        if (anew === text) continue;
        await tx`update ${place} set ${tx(column)} = ${anew}::text::${tx.unsafe(type)} where ctid = ${at}::tid`;
        changed++;
      }
    });
  return changed;
}

/** The database and the sealing key: whether they belong together, and what is to be done for a new key. */
import type { Sql } from "postgres";
import { StartupError } from "../telemetry/startup-error.ts";
import { type Sealer, sealedForms } from "./sealing.ts";

/** A column that holds sealed forms, alone or anywhere in its text or JSON. */
export interface SealedColumn {
  schema: string;
  table: string;
  column: string;
  type: "text" | "jsonb";
}

const checked: SealedColumn = { schema: "identity", table: "sealing_check", column: "form", type: "text" };

/** Throws StartupError unless this is the key that secrets in this database are sealed under, or the first one ever. */
export async function requireKey(sql: Sql, sealer: Sealer): Promise<void> {
  await sql`insert into identity.sealing_check (form) values (${sealer.seal("quintet")}) on conflict do nothing`;
  const [row] = await sql`select form from identity.sealing_check`;
  try {
    sealer.open(String(row?.form));
  } catch {
    throw new StartupError(
      "ENCRYPTION_KEY: secrets in this database are sealed under another key, which every server on it needs (where it is lost: delete from identity.sealing_check, and give all passwords anew)",
    );
  }
}

/** Seals anew what these columns hold; answers how many rows changed. May be repeated, also by several servers at once. */
export async function resealAll(sql: Sql, sealer: Sealer, columns: readonly SealedColumn[]): Promise<number> {
  let changed = 0;
  for (const { schema, table, column, type } of [checked, ...columns])
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

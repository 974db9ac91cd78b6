/** Why PostgreSQL refused something. */

export interface Refusal {
  /** The SQLSTATE (PostgreSQL documentation, appendix A); empty when it was not the database that refused. */
  code: string;
  /** The constraint that was violated; empty when it was none. */
  constraint: string;
}

/** What an error says, through whatever wraps it. */
export function refusalOf(error: unknown): Refusal {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ("code" in at && typeof at.code === "string")
      return { code: at.code, constraint: "constraint_name" in at ? String(at.constraint_name ?? "") : "" };
  return { code: "", constraint: "" };
}

/** Whether something is there already. */
export const isDuplicate = (error: unknown): boolean => refusalOf(error).code === "23505";

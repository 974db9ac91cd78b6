/** What clients say over the WebSocket, and what it comes to. */
import { z } from "zod";

export type Command =
  | { kind: "auth"; token: string }
  | { kind: "typing"; to: number; isTyping: boolean }
  | { kind: "reply"; frame: string }
  | { kind: "nothing" };

const auth = z.object({ token: z.string().min(1).max(4096) });
const typing = z.object({ receiver_id: z.int().positive(), is_typing: z.boolean().default(true) });

const error = (details: string): Command => ({
  kind: "reply",
  frame: JSON.stringify({
    event: "error",
    data: { code: "VAL_001", message: "Неверные данные запроса", details },
  }),
});

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** The command of a frame. A `ping` is answered in its own kind: as an event, by type, or as bare text. `now` in milliseconds. */
export function answerTo(message: string | Buffer, now: number): Command {
  if (typeof message !== "string") return error("ожидается текст");
  if (message.trim() === "ping") return { kind: "reply", frame: "pong" };
  const frame = objectOf(message);
  if (!frame) return message.trim() === "pong" ? { kind: "nothing" } : error("ожидается объект JSON");
  const field = "event" in frame ? "event" : "type";
  switch (frame[field]) {
    case "ping": {
      const timestamp = new Date(now).toISOString();
      return { kind: "reply", frame: JSON.stringify({ [field]: "pong", timestamp }) };
    }
    case "pong":
      return { kind: "nothing" };
    case "auth": {
      const parsed = auth.safeParse("token" in frame ? frame : frame.data);
      return parsed.success ? { kind: "auth", token: parsed.data.token } : error("token: обязательное поле");
    }
    case "typing": {
      const parsed = typing.safeParse(frame.data ?? frame);
      return parsed.success
        ? { kind: "typing", to: parsed.data.receiver_id, isTyping: parsed.data.is_typing }
        : error("data.receiver_id: ожидается целое число");
    }
    default:
      return error("неизвестное событие");
  }
}

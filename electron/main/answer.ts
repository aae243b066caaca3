/** From a message of the window to an answer: the schema of protocol/face.ts stands at the door. */
import { WarrenError } from '../../protocol/errors.ts';
import { type AppCommand, appCommand, type CommandAnswer } from '../../protocol/face.ts';

/** Never rejects: Electron would send the error's text, and its words are not part of the contract. */
export async function answer(
  message: unknown,
  command: (command: AppCommand) => Promise<unknown>,
): Promise<CommandAnswer> {
  const parsed = appCommand.safeParse(message);
  if (!parsed.success) return refusal('invalid');
  try {
    return { ok: true, result: await command(parsed.data) };
  } catch (error) {
    return error instanceof WarrenError ? refusal(error.code, error.message) : refusal('internal');
  }
}

export function refusal(code: string, message?: string): CommandAnswer {
  return message === undefined ? { ok: false, code } : { ok: false, code, message };
}

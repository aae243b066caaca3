import { describe, expect, it } from 'vitest';
import { endError, report } from '../../../cli/failure.ts';
import type { Io } from '../../../cli/io.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';

/** What a person reads on stderr, and the exit code. */
function told(code: ErrorCode): { lines: string[]; exit: number } {
  const lines: string[] = [];
  const io = { err: (line: string) => void lines.push(line), out: () => {} } as unknown as Io;
  const exit = report(endError({ code, message: `the room ended: ${code}` }), io, false);
  return { lines, exit };
}

describe('the end of a room', () => {
  it.each([
    ['wrong-password', 3, /^warren: somebody is in this room with another password \(wrong-password\)$/],
    ['no-server', 4, /^warren: no rendezvous server answered \(no-server\)$/],
    ['room-full', 1, /^warren: the room is full \(room-full\)$/],
  ] as const)('by %s is a sentence, and a next step', (code, exit, sentence) => {
    const said = told(code);
    expect(said.exit).toBe(exit);
    expect(said.lines).toEqual([expect.stringMatching(sentence), expect.stringMatching(/^ {2}\w/)]);
  });

  it('by anything else is what the engine says of it', () => {
    expect(told('disk').lines[0]).toBe('warren: the room ended: disk (disk)');
  });
});

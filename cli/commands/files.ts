/** `warren send` and `warren files`: files to and from members, through the running engine. */
import { resolve } from 'node:path';
import * as z from 'zod';
import { snapshot } from '../../protocol/app.ts';
import type { FileAction } from '../../protocol/files.ts';
import type { Io } from '../io.ts';
import { connect, type StateOptions, stateDirOf } from '../state.ts';
import { fileLine, SHORT_ID } from '../view/files.ts';
import { printable } from '../view/printable.ts';

export interface FilesArguments extends StateOptions {
  json?: boolean;
}

const offered = z.object({ id: z.string() });

/** Answers when the file is offered; it goes on in the engine. */
export async function send(peer: string, path: string, asked: FilesArguments, io: Io): Promise<number> {
  const client = await connect(stateDirOf(asked));
  try {
    const { id } = offered.parse(await client.request({ type: 'send-file', peer, path: resolve(path) }));
    io.out(
      asked.json
        ? JSON.stringify({ id })
        : `offered to ${printable(peer)} as ${id.slice(0, SHORT_ID)}; see: warren files`,
    );
    return 0;
  } finally {
    client.close();
  }
}

/** The list, or one thing done to one of them. */
export async function files(
  action: FileAction | null,
  id: string | null,
  asked: FilesArguments,
  io: Io,
): Promise<number> {
  const client = await connect(stateDirOf(asked));
  try {
    if (action !== null && id !== null) await client.request({ type: 'file', id, action });
    const { files: all = [] } = snapshot.parse(await client.request({ type: 'status' }));
    if (asked.json) for (const file of all) io.out(JSON.stringify(file));
    else if (all.length === 0) io.out('No files. Send one with: warren send NICK FILE');
    else for (const file of all) io.out(fileLine(file));
    return 0;
  } finally {
    client.close();
  }
}

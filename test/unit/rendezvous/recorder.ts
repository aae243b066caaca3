/** Handlers that keep what they are told. */
import type { RendezvousHandlers } from '../../../engine/ports.ts';
import type { BinaryFrame, ServerMessage, Welcome } from '../../../protocol/server.ts';

export type Cause = Parameters<RendezvousHandlers['closed']>[0];

export class Recorder implements RendezvousHandlers {
  readonly messages: ServerMessage[] = [];
  readonly frames: BinaryFrame[] = [];
  readonly causes: Cause[] = [];
  /** Undefined until the socket stands. */
  remoteIp: string | null | undefined = undefined;

  open(remoteIp: string | null): void {
    this.remoteIp = remoteIp;
  }
  message(message: ServerMessage): void {
    this.messages.push(message);
  }
  frame(frame: BinaryFrame): void {
    this.frames.push(frame);
  }
  closed(cause: Cause): void {
    this.causes.push(cause);
  }

  get welcome(): Welcome | undefined {
    return this.messages.find((message): message is Welcome => message.t === 'welcome');
  }
}

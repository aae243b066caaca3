import { SendHorizontal } from 'lucide-react';
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { CHAT_CHARACTERS, type ChatMessage } from '../../../protocol/app.ts';
import { useFormat, useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { plainLines } from '../../store/plain.ts';
import { INPUT } from '../../ui/field.tsx';
import { Avatar, Nick } from '../../ui/nick.tsx';

/** Nearer than this to its end, in px, the log follows new messages. */
const FOLLOWS_WITHIN = 48;
/** Messages of one person within this stand together. */
const TOGETHER_MS = 5 * 60_000;

export function Chat({ className }: { className: string }): ReactNode {
  const t = useText();
  return (
    <section
      aria-label={t('chat.title')}
      className={`flex min-h-0 min-w-0 flex-col border-line bg-surface xl:w-88 xl:shrink-0 xl:border-s ${className}`}
    >
      <h2 className="border-b border-line px-4 py-2.5 font-semibold max-xl:sr-only">{t('chat.title')}</h2>
      <Log />
      <Composer />
    </section>
  );
}

function Log(): ReactNode {
  const t = useText();
  const messages = useApp(({ snapshot }) => snapshot.chat);
  const own = useApp(({ snapshot }) => snapshot.self?.publicKey ?? '');
  const log = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const newest = messages.at(-1)?.id;
  useLayoutEffect(() => {
    const box = log.current;
    if (box !== null && newest !== undefined && follows.current) box.scrollTop = box.scrollHeight;
  }, [newest]);
  useLayoutEffect(() => {
    const box = log.current;
    if (box === null) return;
    // A log that was hidden, or whose window changed, is at its end again when it is seen.
    const sizes = new ResizeObserver(() => {
      if (follows.current) box.scrollTop = box.scrollHeight;
    });
    sizes.observe(box);
    return () => sizes.disconnect();
  }, []);
  return (
    <div
      ref={log}
      role="log"
      aria-label={t('chat.log')}
      // A box that scrolls must be reachable by keyboard.
      tabIndex={0}
      onScroll={({ currentTarget: box }) => {
        follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < FOLLOWS_WITHIN;
      }}
      className="min-h-0 flex-1 overflow-y-auto px-4 py-3 -outline-offset-2"
    >
      {messages.length === 0 && (
        <p className="mx-auto mt-8 max-w-64 text-center text-[13px] text-soft">{t('chat.empty')}</p>
      )}
      {messages.map((message, at) => (
        <Message
          key={message.id}
          message={message}
          own={message.from === own}
          first={beginsGroup(messages[at - 1], message)}
        />
      ))}
    </div>
  );
}

function beginsGroup(before: ChatMessage | undefined, message: ChatMessage): boolean {
  return before === undefined || before.from !== message.from || message.at - before.at > TOGETHER_MS;
}

interface MessageProps {
  message: ChatMessage;
  own: boolean;
  /** Of its group: shows who and when. */
  first: boolean;
}

const Message = memo(function Message({ message, own, first }: MessageProps): ReactNode {
  const t = useText();
  const format = useFormat();
  return (
    <div className={`flex gap-2.5 ${first ? 'mt-3 first:mt-0' : 'mt-0.5'}`}>
      {first ? <Avatar nick={message.nick} publicKey={message.from} /> : <span className="w-9 shrink-0" />}
      <div className="min-w-0 flex-1">
        {first && (
          <p className="flex items-baseline gap-2">
            <span className={`flex min-w-0 font-semibold ${own ? 'text-accent' : ''}`}>
              {own ? t('chat.you') : <Nick>{message.nick}</Nick>}
            </span>
            <time dateTime={new Date(message.at).toISOString()} className="shrink-0 text-[12px] text-soft">
              {format.dateTime(message.at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}
            </time>
          </p>
        )}
        <p dir="auto" className="whitespace-pre-wrap wrap-anywhere [unicode-bidi:isolate]">
          {plainLines(message.text)}
        </p>
      </div>
    </div>
  );
});

function Composer(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const [text, setText] = useState('');
  const send = async () => {
    const said = text.trim();
    if (said === '') return;
    setText('');
    // What could not be said is not lost.
    if (!(await ask({ type: 'chat', text: said })).ok) setText((typed) => (typed === '' ? said : typed));
  };
  return (
    <form
      className="flex gap-2 border-t border-line p-3"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <input
        dir="auto"
        aria-label={t('chat.field')}
        placeholder={t('chat.placeholder')}
        maxLength={CHAT_CHARACTERS}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={`${INPUT} h-9 flex-1 text-sm`}
      />
      <button
        type="submit"
        aria-label={t('chat.send')}
        title={t('chat.send')}
        className="settle flex size-9 shrink-0 items-center justify-center rounded-lg bg-accent text-on-accent hover:bg-accent-hover"
      >
        <SendHorizontal aria-hidden className="size-4" />
      </button>
    </form>
  );
}

import { Dices, Eye, EyeOff } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import { isServerUrl } from '../../../protocol/invite.ts';
import type { ServerChoice } from '../../../protocol/face.ts';
import { suggestPassword, suggestRoomName } from '../../../protocol/suggest.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { type Draft, draftOf } from '../../store/store.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Field } from '../../ui/field.tsx';

type Problem = 'needNick' | 'needRoom' | 'needPassword' | 'needAddress';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/** Nickname, network name, password, meeting point. Enter does what the coloured button says. */
export function JoinForm(): ReactNode {
  const t = useText();
  const { ask, edit } = useActions();
  const app = useFace((state) => state.app);
  const typed = useFace((state) => state.draft);
  const draft = draftOf({ app, draft: typed });
  const room = draft.room.trim();
  // A password that was refused is not tried again.
  const saved = useApp(
    ({ rooms, connection }) =>
      rooms.some(({ name }) => name === room) &&
      !(connection.state === 'failed' && connection.code === 'wrong-password' && connection.room === room),
  );
  const [problem, setProblem] = useState<Problem | null>(null);
  // A room whose name the dice chose is nobody's yet.
  const [rolled, setRolled] = useState(false);
  // So is one that begins on this PC.
  const creates = rolled || draft.server === 'host';

  const submit = (create: boolean) => {
    const wrong = problemOf(draft, saved);
    setProblem(wrong);
    if (wrong !== null) {
      document.getElementsByName(FIELDS[wrong])[0]?.focus();
      return;
    }
    void ask({
      type: 'join',
      room,
      password: draft.password === '' ? null : draft.password,
      nick: draft.nick.trim(),
      server: serverOf(draft),
      create,
    });
  };
  const change = (part: Partial<Draft>) => {
    setProblem(null);
    edit(part);
  };
  const wrong = (which: Problem) => (problem === which ? t(`first.${which}`) : undefined);

  return (
    <form
      noValidate
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        submit(creates);
      }}
      className="flex flex-col gap-4 rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-6"
    >
      <p className="text-soft">{t('first.lead')}</p>
      <Field
        label={t('first.nick')}
        hint={t('first.nickHint')}
        problem={wrong('needNick')}
        name="nick"
        maxLength={20}
        value={draft.nick}
        onChange={(event) => change({ nick: event.target.value })}
      />
      <Field
        label={t('first.room')}
        problem={wrong('needRoom')}
        name="room"
        maxLength={40}
        value={draft.room}
        onChange={(event) => {
          setRolled(false);
          change({ room: event.target.value });
        }}
        tools={
          <IconButton
            icon={Dices}
            label={t('first.rollRoom')}
            onClick={() => {
              setRolled(true);
              change({ room: suggestRoomName(randomBytes) });
            }}
          />
        }
      />
      <PasswordField
        value={draft.password}
        saved={saved}
        problem={wrong('needPassword')}
        onChange={(password) => change({ password })}
      />
      <ServerFields draft={draft} problem={wrong('needAddress')} onChange={change} />
      <div className="mt-1 flex gap-3">
        <Button size="large" kind={creates ? 'primary' : 'plain'} className="flex-1" onClick={() => submit(true)}>
          {t('first.create')}
        </Button>
        <Button size="large" kind={creates ? 'plain' : 'primary'} className="flex-1" onClick={() => submit(false)}>
          {t('first.join')}
        </Button>
      </div>
      <p className="text-center text-[12.5px] text-soft">{t('first.createOrJoin')}</p>
      <button type="submit" hidden />
    </form>
  );
}

const FIELDS: Record<Problem, string> = {
  needNick: 'nick',
  needRoom: 'room',
  needPassword: 'password',
  needAddress: 'address',
};

function problemOf(draft: Draft, saved: boolean): Problem | null {
  if (draft.nick.trim() === '') return 'needNick';
  if (draft.room.trim() === '') return 'needRoom';
  if (draft.password === '' && !saved) return 'needPassword';
  return draft.server === 'address' && addressesOf(draft).length === 0 ? 'needAddress' : null;
}

/** Several addresses stand between spaces or commas. */
function addressesOf({ address }: Draft): string[] {
  const urls = address.split(/[\s,，]+/).filter((url) => url !== '');
  return urls.every(isServerUrl) ? urls.slice(0, 4) : [];
}

function serverOf(draft: Draft): ServerChoice {
  return draft.server === 'address' ? { kind: 'address', urls: addressesOf(draft) } : { kind: draft.server };
}

interface PasswordFieldProps {
  value: string;
  saved: boolean;
  problem: string | undefined;
  onChange(value: string): void;
}

function PasswordField({ value, saved, problem, onChange }: PasswordFieldProps): ReactNode {
  const t = useText();
  const [shown, setShown] = useState(false);
  return (
    <Field
      label={t('first.password')}
      problem={problem}
      name="password"
      type={shown ? 'text' : 'password'}
      maxLength={80}
      placeholder={saved ? t('first.passwordSaved') : undefined}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      tools={
        <>
          <IconButton
            icon={shown ? EyeOff : Eye}
            label={shown ? t('first.hide') : t('first.show')}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          />
          <IconButton
            icon={Dices}
            label={t('first.rollPassword')}
            onClick={() => {
              setShown(true);
              onChange(suggestPassword(randomBytes));
            }}
          />
        </>
      }
    />
  );
}

interface ServerFieldsProps {
  draft: Draft;
  problem: string | undefined;
  onChange(part: Partial<Draft>): void;
}

function ServerFields({ draft, problem, onChange }: ServerFieldsProps): ReactNode {
  const t = useText();
  const automatic = useApp(({ about }) => about.servers.length > 0);
  const kinds = automatic ? (['automatic', 'host', 'address'] as const) : (['host', 'address'] as const);
  return (
    <>
      <Choice
        label={t('server.label')}
        help={t('server.help')}
        value={draft.server}
        options={kinds.map((value) => ({ value, label: t(`server.${value}`), help: t(`server.${value}Help`) }))}
        onChange={(server) => onChange({ server })}
      />
      {draft.server === 'address' && (
        <Field
          label={t('server.addressField')}
          problem={problem}
          name="address"
          inputMode="url"
          placeholder="wss://"
          maxLength={512}
          value={draft.address}
          onChange={(event) => onChange({ address: event.target.value })}
        />
      )}
    </>
  );
}

// Owns the users of SASL PLAIN and their passwords, as a TOML file names them (`alice = "secret"`), and taking changes of it without a
// restart. Not checking a password (plain.ts).

import { parse, TomlError } from 'smol-toml'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import { readFiles, WatchedFiles } from './watched-files.ts'

const setting = 'sasl.plain-users-file'

const invalid = (path: string, what: string): OpError =>
  new OpError('invalid', { code: 'PLAIN_USERS_INVALID', detail: `${setting} names ${path}: ${what}; write a line like alice = "secret" for each user` }) // prettier-ignore

/** What TOML says of a bad line may hold a password, so only its number is told. */
export function parsePlainUsers(text: string, path: string): ReadonlyMap<string, string> {
  let table: Readonly<Record<string, unknown>>
  try {
    table = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw invalid(path, `line ${error.line} is not TOML`)
  }
  const users = new Map<string, string>()
  for (const [user, password] of Object.entries(table)) {
    if (typeof password !== 'string' || password === '') throw invalid(path, `user ${JSON.stringify(user)} has no password`)
    if (user === '' || /\p{Cc}/u.test(user)) throw invalid(path, 'a user has no name, or one with control characters')
    users.set(user, password)
  }
  return users
}

export class PlainUsers {
  readonly #watch: WatchedFiles
  #users: ReadonlyMap<string, string>

  private constructor(
    path: string,
    bytes: Buffer,
    world: { readonly clock: Clock; readonly log: Log; readonly intervalMs: number },
  ) {
    const { clock, log, intervalMs } = world
    this.#users = parsePlainUsers(bytes.toString('utf8'), path)
    log.info('users of SASL PLAIN', { users: this.#users.size })
    this.#watch = new WatchedFiles(new Map([[setting, bytes]]), {
      files: [{ setting, path }],
      intervalMs,
      clock,
      onChanged: (contents) => {
        this.#users = parsePlainUsers(contents.get(setting)?.toString('utf8') ?? '', path)
        log.info('users of SASL PLAIN were read again', { users: this.#users.size })
      },
      onTrouble: ({ code, detail }) => {
        log.warn('the changed users of SASL PLAIN are not taken; those before stay', { code, detail })
      },
    })
  }

  static async open(
    path: string,
    world: { readonly clock: Clock; readonly log: Log; readonly intervalMs: number },
  ): Promise<PlainUsers> {
    const contents = await readFiles([{ setting, path }])
    return new PlainUsers(path, contents.get(setting) ?? Buffer.alloc(0), world)
  }

  readonly passwordOf = (user: string): string | undefined => this.#users.get(user)

  close(): void {
    this.#watch.close()
  }
}

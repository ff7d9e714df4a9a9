/** Owns getting a Go program at one version into `<cache>/bin/`. */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder, installOnce, isInstalled, run, runOrThrow, ToolMissing } from '../../../localstack/index.ts'

export interface GoProgram {
  /** Name of the file in `<cache>/bin/`. */
  readonly name: string
  /** Import path of its main package; its last element is what `go install` names the binary. */
  readonly module: string
  readonly version: string
  /** Cold MinIO builds need most of an hour on a loaded machine. */
  readonly timeoutMs?: number
}

export interface GoTool {
  readonly remedy: string
  path(): string
  isInstalled(): boolean
  install(): Promise<void>
}

export function goTool({ name, module, version, timeoutMs = 60 * 60_000 }: GoProgram): GoTool {
  const path = (): string => join(cacheFolder(), 'bin', name)
  const marker = (): string => join(cacheFolder(), 'bin', `.${name}.installed`)
  const fingerprint = `${module}@${version}`
  const remedy = `install Go (1.24 or newer), or build ${fingerprint} elsewhere and put it at ${path()}`
  // A binary without a marker was put there by hand, as the remedy says: it is taken as it is.
  const present = (): boolean => existsSync(path()) && (!existsSync(marker()) || isInstalled(marker(), fingerprint))

  async function build(progress: (line: string) => void): Promise<void> {
    const go = await run({ command: 'go', args: ['version'] }).catch(() => undefined)
    if (go?.code !== 0) throw new ToolMissing(name, 'there is no binary in the cache and no `go` to build one', remedy)
    const workshop = join(cacheFolder(), 'bin', `.${name}.${process.pid}`)
    await mkdir(workshop, { recursive: true })
    progress(`go install ${fingerprint} (minutes when cold)`)
    try {
      await runOrThrow({
        command: 'go',
        args: ['install', fingerprint],
        env: { GOBIN: workshop, GOFLAGS: '-p=2' },
        timeoutMs,
        onLine: progress,
      }).catch((cause: unknown) => {
        throw new ToolMissing(
          name,
          `go could not build ${fingerprint}`,
          'see the output above; is a Go module proxy reachable?',
          cause,
        )
      })
      await rename(join(workshop, module.split('/').at(-1) ?? name), path())
    } finally {
      await rm(workshop, { recursive: true, force: true })
    }
  }

  return {
    remedy,
    path,
    isInstalled: present,
    install: async () => {
      if (!present()) await installOnce({ tool: name, marker: marker(), fingerprint, build })
    },
  }
}

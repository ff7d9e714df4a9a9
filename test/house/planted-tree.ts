// Owns a copy of the tree in a temporary folder, where the house tests plant breaches: the working tree is never touched, so that
// tests run beside each other and beside a person who edits.

import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(import.meta.dirname))

export interface Ended {
  readonly exitCode: number
  readonly stdout: string
}

export interface PlantedTree {
  readonly dir: string
  /** Writes a new file, folders included. Refuses to replace one: a breach is a file of its own. */
  plant(path: string, code: string): void
  /** Writes the file only where the tree has none: a target for planted imports to point at. */
  plantIfAbsent(path: string, code: string): void
  /** Runs a tool of node_modules in the copy. Its exit code is part of the answer. */
  run(tool: string, args: readonly string[]): Promise<Ended>
  /** Runs a script of the copy itself. */
  runScript(path: string, args: readonly string[]): Promise<Ended>
  remove(): void
}

const copied = [
  'src',
  'tiers',
  'recovery',
  'infra',
  'package.json',
  'tsconfig.json',
  'eslint.config.js',
  'vitest.config.ts',
  '.prettierrc.json',
  '.prettierignore',
]

export function copyOfTree(): PlantedTree {
  const dir = mkdtempSync(join(tmpdir(), 'chronik-house-'))
  for (const path of copied) {
    if (existsSync(join(root, path))) cpSync(join(root, path), join(dir, path), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'dir')
  const write = (path: string, code: string): void => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), code)
  }
  const runNode = (program: string, args: readonly string[]): Promise<Ended> =>
    new Promise((resolve, reject) => {
      execFile(process.execPath, [program, ...args], { cwd: dir, maxBuffer: 256 * 1024 * 1024 }, (error, stdout) => {
        if (error === null) resolve({ exitCode: 0, stdout })
        else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout })
        else reject(new Error(`${program} did not run`, { cause: error }))
      })
    })
  return {
    dir,
    plant: (path, code) => {
      if (existsSync(join(dir, path))) throw new Error(`${path} is already there`)
      write(path, code)
    },
    plantIfAbsent: (path, code) => {
      if (!existsSync(join(dir, path))) write(path, code)
    },
    run: (tool, args) => runNode(join(root, 'node_modules', tool), args),
    runScript: (path, args) => runNode(join(dir, path), args),
    remove: () => {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** All TypeScript files below the folders, as paths from `dir`. */
export function typescriptFiles(dir: string, folders: readonly string[]): string[] {
  return folders
    .filter((folder) => existsSync(join(dir, folder)))
    .flatMap((folder) => readdirSync(join(dir, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)))
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
}

// Owns the types of install.mjs, which stays plain JavaScript: it runs before anything is installed.
export declare const root: string
export declare function whyInstall(folder: string): string | undefined
export declare function requireNode(): void
export declare function ensureInstalled(): void
export declare function run(command: string, args: readonly string[], remedy: string): void

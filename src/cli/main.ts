/**
 * The command `revmap`.
 *
 * Owns      the list of commands, and what their exit codes mean: 0 done, 1 it failed, 2 the question was wrong.
 */
import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };

const program = new Command('revmap');
program.description("Linux's memory manager, as a system you can run and question");
program.version(manifest.version);
await program.parseAsync();

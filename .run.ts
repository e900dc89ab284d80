import { openRecording } from './src/trace/source.ts';
import { surveyRecording } from './src/trace/survey.ts';
import { runRecording } from './src/lab/run.ts';
const [file, kernel, ...limits] = process.argv.slice(2);
const rec = await openRecording(file!);
const survey = surveyRecording(rec);
for (const l of limits) {
  const r: any = runRecording(rec, survey, { kernel: kernel!, ramBytes: 384 << 20, swapBytes: 512 << 20, swapDevice: 'zram', swappiness: 60, pageCluster: 3, limitBytes: l === '0' ? null : Number(l) * 1024 });
  const c = r.counters;
  console.log(l, r.status, ['pswpin','pswpout','pgscan','pgscan_anon','pgscan_file','pgsteal_anon','pgsteal_file','pgactivate','pgdeactivate','pgfault','pgmajfault','workingset_refault_anon','workingset_refault_file','workingset_activate_anon','workingset_activate_file'].map(n => `${n.replace('workingset_','ws_')}=${c[n]}`).join(' '), 'peakK', r.peak_bytes / 1024, 'ev', r.events, 's', r.seconds.toFixed(2), (r.events/r.seconds/1e6).toFixed(1)+'M/s');
  const { counters, ...rest } = r; if (process.env['V']) console.log(JSON.stringify(rest, null, 1).slice(0, 4000));
}

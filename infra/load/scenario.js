// The guide's load scenario as data and pure functions. k6 loads it (k6.js), and so does `npm run load` for
// machines without k6: both send the same requests in the same rhythm, with the same thresholds.

/** Users over time: in each stage the number changes linearly from the previous target to its own. */
export const PROFILES = {
  /** The guide's own, 16 minutes. */
  guide: [
    { duration: '2m', target: 100 },
    { duration: '5m', target: 100 },
    { duration: '2m', target: 200 },
    { duration: '5m', target: 200 },
    { duration: '2m', target: 0 },
  ],
  /** For continuous integration. */
  short: [
    { duration: '10s', target: 25 },
    { duration: '15s', target: 25 },
    { duration: '10s', target: 50 },
    { duration: '30s', target: 50 },
    { duration: '5s', target: 0 },
  ],
  /** The guide's most users, long enough to restart every service in turn. */
  rolling: [
    { duration: '30s', target: 200 },
    { duration: '4m', target: 200 },
    { duration: '10s', target: 0 },
  ],
  /** Shows that the scenario works. Its figures mean nothing. */
  smoke: [
    { duration: '1s', target: 10 },
    { duration: '4s', target: 10 },
    { duration: '1s', target: 0 },
  ],
};

/** The guide's thresholds: a run fails when one of them fails. `errors` counts unexpected answers. */
const GUIDE = {
  http_req_duration: ['p(95)<1000'],
  http_req_failed: ['rate<0.01'],
  errors: ['rate<0.01'],
};

/** No request may fail, for example during restarts. */
const LOSSLESS = { errors: ['rate<0.01', 'rate<=0'] };

/** Our own targets with the most users. A strict run fails on them. */
const STRICT = {
  'http_req_duration{endpoint:list,peak:true}': ['p(95)<50'],
  'http_req_duration{endpoint:create,peak:true}': ['p(95)<200'],
  ...LOSSLESS,
};

/** The report's parts without a threshold. k6 keeps a part's figures only when a threshold names the part. */
export const PARTS = ['list', 'create'].flatMap((endpoint) => [
  `http_req_duration{endpoint:${endpoint}}`,
  `http_req_duration{endpoint:${endpoint},peak:true}`,
]);

/** `demands`: guide, lossless or strict. */
export const THRESHOLDS = {
  guide: GUIDE,
  lossless: { ...GUIDE, ...LOSSLESS },
  strict: { ...GUIDE, ...STRICT },
};

const UNITS = { s: 1, m: 60 };

export function seconds(duration) {
  const [, count, unit] = /^(\d+)([sm])$/.exec(duration) ?? [];
  if (count === undefined) throw new Error(`a duration is like 5s or 2m, not ${duration}`);
  return Number(count) * UNITS[unit];
}

export function totalSeconds(stages) {
  return stages.reduce((sum, { duration }) => sum + seconds(duration), 0);
}

/** The number of users after some seconds; 0 after the end. */
export function usersAt(stages, elapsed) {
  let from = 0;
  let begun = 0;
  for (const { duration, target } of stages) {
    const length = seconds(duration);
    if (elapsed < begun + length) return Math.round(from + ((target - from) * (elapsed - begun)) / length);
    begun += length;
    from = target;
  }
  return 0;
}

/** Whether the number of users is at its maximum and constant. */
export function atPeak(stages, elapsed) {
  const most = Math.max(...stages.map(({ target }) => target));
  let from = 0;
  let begun = 0;
  for (const { duration, target } of stages) {
    const length = seconds(duration);
    if (elapsed >= begun && elapsed < begun + length) return from === most && target === most;
    begun += length;
    from = target;
  }
  return false;
}

/** One iteration in ten creates a VM after its list. */
export function creates() {
  return Math.random() < 0.1;
}

/** Seconds that a user thinks after an iteration. */
export function thinkTime() {
  return Math.random() * 3 + 1;
}

/** Separates the VMs of two runs, even if they start at the same time. */
export function newRun() {
  return (
    Date.now().toString(36) +
    Math.floor(Math.random() * 36 ** 4)
      .toString(36)
      .padStart(4, '0')
  ).slice(-10);
}

export function namePrefix(run) {
  return `test-vm-${run}-`;
}

/** The guide's VM, with a name of its own for each user and iteration. */
export function newVm(run, user, iteration) {
  return {
    name: `${namePrefix(run)}${user}-${iteration}`,
    config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' },
  };
}

/** The guide's checks: reported, never a failure by themselves. */
export const CHECKS = {
  list: {
    'VM list status is 200': (status) => status === 200,
    'VM list response time < 500ms': (_, ms) => ms < 500,
  },
  create: {
    'VM creation status is 201': (status) => status === 201,
    'VM creation response time < 2s': (_, ms) => ms < 2000,
  },
};

export const DUE = { list: 200, create: 201 };

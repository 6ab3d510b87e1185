// What the provider remembers: in memory while it runs, in one JSON file from SIGTERM to the next start.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class State {
  #file;

  #data = { kept: {}, models: {} };

  constructor(directory) {
    this.#file = join(directory, 'state.json');
    if (existsSync(this.#file)) this.#data = JSON.parse(readFileSync(this.#file));
  }

  // A value that is made at the first start, or afresh, and found again later.
  kept(name, make, fresh = false) {
    if (fresh || !(name in this.#data.kept)) this.#data.kept[name] = make();
    return this.#data.kept[name];
  }

  save() {
    writeFileSync(this.#file, JSON.stringify(this.#data), { mode: 0o600 });
  }

  // All payloads of one of oidc-provider's models, by id.
  model(name) {
    return (this.#data.models[name] ??= {});
  }

  // oidc-provider's storage interface: one adapter for each model.
  adapter() {
    return (name) => new Adapter(this.model(name));
  }
}

class Adapter {
  #payloads;

  constructor(payloads) {
    this.#payloads = payloads;
  }

  async upsert(id, payload) {
    this.#payloads[id] = payload;
  }

  async find(id) {
    return this.#payloads[id];
  }

  async findByUid(uid) {
    return Object.values(this.#payloads).find((p) => p.uid === uid);
  }

  async findByUserCode(userCode) {
    return Object.values(this.#payloads).find((p) => p.userCode === userCode);
  }

  async consume(id) {
    this.#payloads[id].consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    delete this.#payloads[id];
  }

  async revokeByGrantId(grantId) {
    for (const [id, p] of Object.entries(this.#payloads)) {
      if (p.grantId === grantId) delete this.#payloads[id];
    }
  }
}

// Lets a test change people, tokens and clients while sessions are alive.
import { text } from './interactions.mjs';

const BLANK_PERSON = {
  email_verified: true, groups: [], direct: [], owner: [], maintainer: [], developer: [], blocked: false,
};

export class Fixture {
  #state;

  #people;

  constructor(state, people) {
    this.#state = state;
    this.#people = people;
  }

  // Answers requests below /_fixture/ and says whether this was one.
  async serve(req, res) {
    const [, kind, name, action = ''] = /^\/_fixture\/(people|clients)\/([\w-]+)(?:\/(\w+))?$/.exec(req.url) ?? [];
    if (!kind) return false;
    const body = JSON.parse(await text(req) || '{}');
    const answers = {
      'PUT people ': () => this.#person(name, body),
      'POST people revoke': () => this.#revoke(name),
      'POST people expire': () => this.#expire(name),
      'PUT clients ': () => this.#client(name, body),
    };
    const answer = answers[`${req.method} ${kind} ${action}`];
    res.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify(answer?.() ?? {}));
    return true;
  }

  // A JSON object, merged into the person: groups, blocked, name, ... An unknown person is made.
  #person(username, changes) {
    const id = 1 + Math.max(...Object.values(this.#people).map((p) => p.id));
    return (this.#people[username] = { id, username, ...BLANK_PERSON, ...this.#people[username], ...changes });
  }

  // Ends every token of the person.
  #revoke(username) {
    const sub = String(this.#people[username].id);
    for (const model of ['AccessToken', 'RefreshToken', 'Grant']) {
      const payloads = this.#state.model(model);
      for (const [id, p] of Object.entries(payloads)) if (p.accountId === sub) delete payloads[id];
    }
  }

  // Makes every opaque access token of the person older than its life; the refresh tokens stay good.
  #expire(username) {
    const sub = String(this.#people[username].id);
    for (const p of Object.values(this.#state.model('AccessToken'))) if (p.accountId === sub) p.exp = 1;
  }

  // Merges metadata into a client's; redirect URIs are added to those it has.
  #client(id, { redirect_uris: uris = [], ...metadata }) {
    const clients = this.#state.model('Client');
    clients[id] = {
      ...clients[id], ...metadata, redirect_uris: [...new Set([...clients[id].redirect_uris, ...uris])],
    };
    return clients[id];
  }
}

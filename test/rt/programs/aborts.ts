/**
 * Every way an AssemblyScript program ends a call without exceptions: traps and aborts, in the middle of work on live
 * objects. The host catches what comes out and goes on with the instance.
 */
import { mixText, next, safepoint, word } from "./lib";

class Account {
  history: string[] = [];
  peer: Account | null = null;
}

let accounts: Account[] = [];
const index = new Map<string, Account>();

export function start(): void {
  for (let i = 0; i < 40; i++) {
    accounts.push(new Account());
    index.set("a" + i.toString(), accounts[i]);
  }
  for (let i = 0; i < 40; i++) accounts[i].peer = accounts[39 - i];
}

export function step(round: i32): void {
  for (let i = 0; i < 300; i++) {
    const account = accounts[next() % 40];
    account.history.push(word(6) + round.toString());
    if (account.history.length > 30) account.history = account.history.slice(20);
    safepoint(200);
  }
}

export function finish(): void {
  for (let i = 0; i < 40; i++) {
    const account = index.get("a" + i.toString());
    assert(account.peer!.peer === account);
    mixText(account.history.join());
  }
}

/** How many ways provoke() knows. */
export const KINDS = 13;

/**
 * Does the thing number `kind` that must not return; what it touched before stays valid. Running out of stack is not
 * among them: the engine's own end of stack comes anywhere, in the middle of an allocation too.
 */
export function provoke(kind: i32): void {
  const local = new Account();
  local.history.push(word(4));
  accounts[3].history.push("before " + kind.toString());
  safepoint(3);
  switch (kind) {
    case 0:
      throw new Error("thrown " + accounts[1].history.length.toString() + " " + local.history[0].slice(0, 0));
    case 1:
      mixText(local.history[local.history.length]);
      break;
    case 2:
      mixText(local.peer!.history[0]);
      break;
    case 3:
      assert(local.history.length > 5, "asserted");
      break;
    case 4:
      mixText(index.get("none").history[0]);
      break;
    case 5:
      local.history = new Array<string>(-1);
      break;
    case 6:
      mixText(new Array<string>(4)[2]);
      break;
    case 7:
      mixText((100 / (local.history.length - 1)).toString());
      break;
    case 8:
      unreachable();
      break;
    case 9:
      mixText(new Array<string>().pop());
      break;
    case 10:
      mixText("x".repeat(-1));
      break;
    case 11:
      new DataView(new ArrayBuffer(4)).setFloat64(0, 1);
      break;
    case 12:
      local.history.sort((a, b) => (a + b == "" ? 0 : <i32>next() / (a.length - a.length)));
      local.history.push(word(2));
      local.history.sort((a, b) => (a + b == "" ? 0 : <i32>next() / (a.length - a.length)));
      break;
  }
}

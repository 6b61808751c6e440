/**
 * Everything that runs concurrently in a history, as actors of which exactly one moves at a time, from one turn to the next. The
 * next actor is chosen at random; so a seed is a schedule that can be repeated.
 */
import type { Dice } from "../model/random-dag.ts";

export type Actor = {
  readonly name: string;
  /** Waits for the actor's next turn; `until` = not before this time. A killed actor gets none. */
  turn(until?: number): Promise<void>;
  /** Waits until the lock is free. */
  waitForLock(lock: string): Promise<void>;
  /** Called when the actor is killed: releases what its process held. */
  onDeath: Set<() => void>;
  readonly isDead: () => boolean;
};

type Slot = { actor: Actor; resume: (() => void) | null; until: number; lock: string | null; isDone: boolean };

export type Turns = {
  now(): number;
  /** Advances the clock, never back. */
  advance(ms: number): void;
  start(name: string, life: (actor: Actor) => Promise<void>): Actor;
  kill(actor: Actor): void;
  /** Pauses an actor until then, whatever it waits for. */
  freeze(actor: Actor, until: number): void;
  /** Ends the current move, whatever its actor waits for. */
  interrupt(): void;
  /** One move of one actor. false = no actor can move, now or later. */
  step(): Promise<boolean>;
};

export function createTurns(dice: Dice, isFree: (lock: string) => boolean, fail: (error: unknown) => void): Turns {
  let now = Date.UTC(2026, 0, 1);
  const slots = new Map<Actor, Slot>();
  let moving: Actor | null = null;
  let stopped: () => void = () => {};

  return {
    now: () => now,
    advance(ms) {
      now += ms;
    },
    start(name, life) {
      let isDead = false;
      const actor: Actor = {
        name,
        onDeath: new Set([() => (isDead = true)]),
        isDead: () => isDead,
        turn: (until = 0) => park(until, null),
        waitForLock: (lock) => park(0, lock),
      };
      const slot: Slot = { actor, resume: null, until: 0, lock: null, isDone: false };
      slots.set(actor, slot);
      const park = (until: number, lock: string | null) =>
        new Promise<void>((resolve) => {
          slot.resume = resolve;
          slot.until = until;
          slot.lock = lock;
          // An actor that starts another one continues its move; only its own turn ends it.
          if (moving === actor) stopped();
        });
      const first = park(0, null);
      void first
        .then(() => life(actor))
        .catch(fail)
        .finally(() => {
          slots.delete(actor);
          if (moving === actor) stopped();
        });
      return actor;
    },
    kill(actor) {
      for (const onDeath of actor.onDeath) onDeath();
      slots.delete(actor);
    },
    freeze(actor, until) {
      const slot = slots.get(actor);
      if (slot) slot.until = Math.max(slot.until, until);
    },
    interrupt: () => stopped(),
    async step() {
      const able = [...slots.values()].filter((slot) => slot.resume && (slot.lock === null || isFree(slot.lock)));
      if (able.length === 0) {
        if (slots.size > 0)
          fail(new Error(`deadlock: ${[...slots.values()].map((slot) => `${slot.actor.name} waits for ${slot.lock}`)}`));
        return false;
      }
      let ready = able.filter((slot) => slot.until <= now);
      if (ready.length === 0) {
        now = Math.min(...able.map((slot) => slot.until));
        ready = able.filter((slot) => slot.until <= now);
      }
      const slot = ready[dice.roll(ready.length)];
      const resume = slot?.resume;
      if (!slot || !resume) return false;
      slot.resume = null;
      const stop = new Promise<void>((resolve) => {
        stopped = resolve;
      });
      moving = slot.actor;
      resume();
      await stop;
      moving = null;
      return true;
    },
  };
}

import type { CacheDirective, CacheOutcome, ReadAnswer } from "../cache/reading.ts";
import type { RecordReader } from "../cache/record-reader.ts";
import { matchesRecord, type PresentedCredential } from "../core/credential.ts";
import type { KeyRecord } from "../core/key.ts";
import { mapInTurns, type Turns } from "../turns.ts";
import type { ActorLimits, ReadActorLimits } from "./actor-limits.ts";
import { createJudge, isVerified, type JudgeOptions, unverified, type Verification, type Verified } from "./judge.ts";
import { createLimits, type LimitsOptions } from "./limits.ts";

/**
 * Verifies credentials. The results are in the order of the credentials. Rejects only if `turns` does: if the store does
 * not answer, the verdict is `internal`.
 */
export type VerifyMany = (
  tenant: string,
  verifications: readonly Verification[],
  cacheDirective: CacheDirective,
  turns?: Turns,
) => Promise<Verified[]>;

export interface VerifyManyOptions extends JudgeOptions, LimitsOptions {
  readonly reader: Pick<RecordReader, "readMany">;
  readonly actorLimits: ActorLimits;
  /** Called with the reason why credentials of a batch could not be verified, once a batch. The response does not contain the reason. */
  readonly reportUnanswered: (error: unknown) => void;
}

type Answer = PromiseSettledResult<ReadAnswer>;

/**
 * Reads all records with one round trip to the shared cache and one to the store, and then the limits of their actors in the same way.
 * Credentials do not affect each other: the verdict of one that cannot be judged is `internal`, whatever the reason, and the others get
 * their results.
 */
export function createVerifyMany(options: VerifyManyOptions): VerifyMany {
  const { reader, actorLimits, clock, reportUnanswered } = options;
  const { identify, judge } = createJudge(options);
  const { refuseGuesser, settle } = createLimits(options);

  /** In turns, because a signature takes 0.1 ms, and so does the longest text. */
  const identifyAll = (
    tenant: string,
    verifications: readonly Verification[],
    turns?: Turns,
  ): Promise<(PresentedCredential | Verified)[]> => {
    // A repeated credential is read once. The map lives only as long as the request, which contains the same credentials.
    const identified = new Map<string, PresentedCredential | Verified>();
    const identifyOnce = ({ credential }: Verification) => {
      const presented = identified.get(credential) ?? identify(tenant, credential);
      identified.set(credential, presented);
      return presented;
    };
    return mapInTurns(verifications, identifyOnce, turns);
  };

  const answerTo = (tenant: string, asked: Asked, { answers, read }: BatchReads): Verified | Promise<Verified> => {
    const { presented, verification } = asked;
    // Checked again, because earlier credentials of this batch may have been guesses.
    const refusal = asked.refusal ?? refuseGuesser(tenant, presented, verification);
    if (refusal !== null) return refusal;
    if (isVerified(presented)) return settle(tenant, presented, verification);
    const found = findRecord(presented, answers);
    if (found === "unanswered") return unverified("internal", presented.type, clock());
    return settle(tenant, judge(presented, found.record, found.cacheOutcome, verification), verification, read);
  };

  return async (tenant, verifications, cacheDirective, turns) => {
    const identified = await identifyAll(tenant, verifications, turns);
    const all = verifications.map((verification, index): Asked => {
      const presented = identified[index] as PresentedCredential | Verified;
      return { verification, presented, refusal: refuseGuesser(tenant, presented, verification) };
    });
    const keyIds = [
      ...new Set(all.flatMap(({ presented, refusal }) => (isVerified(presented) || refusal !== null ? [] : presented.keyIds))),
    ];
    const settled = await reader.readMany(tenant, keyIds, cacheDirective);
    const answers = new Map(keyIds.map((keyId, index) => [keyId, settled[index] as Answer]));
    const read = await actorLimits.readMissing(tenant, actorsOf(settled));
    const problems: unknown[] = settled.filter((answer) => answer.status === "rejected").map(({ reason }) => reason);

    // In order: the cost of each is taken before the next one is checked.
    const verdicts = all.map((asked) => {
      const failed = (error: unknown): Verified => {
        problems.push(error);
        return unverified("internal", isVerified(asked.presented) ? asked.presented.kind : asked.presented.type, clock());
      };
      try {
        const answer = answerTo(tenant, asked, { answers, read });
        return answer instanceof Promise ? answer.catch(failed) : answer;
      } catch (error) {
        return failed(error);
      }
    });
    const verified = verdicts.some((verdict) => verdict instanceof Promise) ? await Promise.all(verdicts) : (verdicts as Verified[]);
    if (problems.length > 0) reportUnanswered(problems[0]);
    return verified;
  };
}

interface Asked {
  readonly verification: Verification;
  readonly presented: PresentedCredential | Verified;
  /** The refusal if the client had guessed too often before the batch. Then no key is looked up. */
  readonly refusal: Verified | null;
}

/** The records that were read for the batch. */
interface BatchReads {
  readonly answers: ReadonlyMap<string, Answer>;
  readonly read: ReadActorLimits | undefined;
}

function* actorsOf(answers: readonly Answer[]): Iterable<string> {
  for (const answer of answers) if (answer.status === "fulfilled" && answer.value.record !== null) yield answer.value.record.actorId;
}

/** The first id with a matching record decides. An id whose look-up failed also decides, because its record might exist. */
function findRecord(
  presented: PresentedCredential,
  answers: ReadonlyMap<string, Answer>,
): { readonly record: KeyRecord | null; readonly cacheOutcome: CacheOutcome } | "unanswered" {
  let cacheOutcome: CacheOutcome = "hit";
  for (const keyId of presented.keyIds) {
    const answer = answers.get(keyId) as Answer;
    if (answer.status === "rejected") return "unanswered";
    const { record, outcome } = answer.value;
    if (outcome !== "hit") cacheOutcome = outcome;
    if (record !== null && matchesRecord(presented, record)) return { record, cacheOutcome };
  }
  return { record: null, cacheOutcome };
}

import type { Cap } from "../../policy/cap.js";
import type { Place } from "./cell.js";
import { onOneLine } from "./words.js";

/** A cap without an id holds where it does, and no cell names it. */
export type NamedCaps = readonly (readonly [id: string | undefined, cap: Cap])[];

/**
 * One place for each set of caps that hold somewhere together; the first is where none does that names a scope. `orgs`
 * are those of them whose orgs are capped differently.
 */
export function placesOf({ caps }: { readonly caps: NamedCaps }): Places {
  const places = placesOfCaps.get(caps) ?? placesUnder(caps);
  placesOfCaps.set(caps, places);
  return places;
}

interface Places {
  readonly places: readonly Place[];
  readonly orgs: ReadonlySet<Place>;
}

/** Found once for all permissions: caps may name thousands of scopes. */
const placesOfCaps = new WeakMap<NamedCaps, Places>();

function placesUnder(caps: NamedCaps): Places {
  const named = caps.flatMap(([, cap]): readonly { readonly orgId: string; readonly projectId?: string }[] =>
    cap.at === "project" ? cap.projects : (cap.orgIds ?? []).map((orgId) => ({ orgId })),
  );
  const taken = new Set(named.flatMap(({ orgId, projectId }) => [orgId, projectId ?? orgId]));
  const fresh = (name: string): string => (taken.has(name) ? fresh(`${name}'`) : name);
  const [anyOrg, anyProject] = [fresh("org"), fresh("project")];
  const holding = whereTheyHold(caps);
  const idsOf = (some: readonly number[]) => [...new Set(some.flatMap((at) => caps[at]?.[0] ?? []))];
  const places = new Map<string, Place>();
  const orgs = new Map<string, Place>();
  for (const one of [{ orgId: anyOrg }, ...named]) {
    const { orgId, projectId = anyProject } = one;
    const onOrg = holding.onOrg(orgId);
    const here = [...onOrg, ...holding.onProject(orgId, projectId)].sort((a, b) => a - b);
    const signature = here.join();
    if (places.has(signature)) continue;
    const place: Place = {
      orgId,
      projectId,
      otherOrgId: `not-${orgId}`,
      otherProjectId: `not-${projectId}`,
      caps: idsOf(here),
      orgCaps: idsOf(onOrg),
      ...wordsOf(one, orgId === anyOrg),
    };
    places.set(signature, place);
    if (!orgs.has(onOrg.join())) orgs.set(onOrg.join(), place);
  }
  return { places: [...places.values()], orgs: new Set(orgs.values()) };
}

/** How people call a place; what is capped as an org names its org with the project, too. */
function wordsOf(
  { orgId, projectId }: { readonly orgId: string; readonly projectId?: string },
  isAnyOrg: boolean,
): Pick<Place, "orgWords" | "projectWords"> {
  const orgWords = isAnyOrg ? "their org" : `the org ${onOneLine(orgId)}`;
  if (projectId !== undefined) return { orgWords, projectWords: `the project ${onOneLine(projectId)}` };
  return { orgWords, projectWords: isAnyOrg ? "the project" : `a project of ${orgWords}` };
}

/**
 * Where caps hold, looked up by scope: each may name thousands. A cap is told by its position, not by its id: of two
 * policies that are compared, each may have one of the same id in another scope.
 */
function whereTheyHold(caps: NamedCaps) {
  const everywhere: number[] = [];
  const byOrg = new Map<string, Set<number>>();
  const byProject = new Map<string, Map<string, Set<number>>>();
  for (const [position, [, cap]] of caps.entries()) {
    if (cap.at === "project") {
      for (const { orgId, projectId } of cap.projects) {
        const projects = byProject.get(orgId) ?? new Map<string, Set<number>>();
        byProject.set(orgId, add(projects, projectId, position));
      }
    } else if (cap.orgIds === undefined) everywhere.push(position);
    else for (const orgId of cap.orgIds) add(byOrg, orgId, position);
  }
  return {
    onOrg: (orgId: string) => [...everywhere, ...(byOrg.get(orgId) ?? [])].sort((a, b) => a - b),
    onProject: (orgId: string, projectId: string) => [...(byProject.get(orgId)?.get(projectId) ?? [])],
  };
}

function add(positions: Map<string, Set<number>>, scopeId: string, position: number) {
  return positions.set(scopeId, (positions.get(scopeId) ?? new Set<number>()).add(position));
}

// Package explain says why a workload is or is not enrolled, and what will happen at the next renewal of its certificates:
// by the very plan that admission makes, in sentences that name the object that decides.
//
// [Explain] is pure. [Look] asks the API server for what it needs, with the caller's permissions, and notes what it could
// not see. Start reading at Explain.
package explain

// Package assertion signs what is known about a caller, so that an application can tell
// what claimproxy says from what somebody says who has found a way around it: a JSON Web
// Token for that application alone, which is over in minutes.
//
// Its keys are derived from the secrets that sessions are sealed with, so that all
// replicas have the same ones and nothing has to be kept: one key for each week. The key
// of the next week is published before it is used, and that of the last one after.
package assertion

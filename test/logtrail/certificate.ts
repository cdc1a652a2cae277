/**
 * A self-signed certificate for `localhost` alone, and its key, which guards nothing: made for these tests, since a fresh
 * machine may lack openssl, with
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost`
 */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBpTCCAUugAwIBAgIUdodXTK4+PygT71Wt4mlqD3aLVwIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzIyMTgzN1oYDzIxMjYxMDMw
MjIxODM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASlauXYZOXOjSBVkh3zBoJ6qgCZINjSBjs1qwh5ldLvmBGvTHIOgonj
t9oFnCR5KAS+LHJBy2tIxlDonhM5F2C8o3kwdzAdBgNVHQ4EFgQUB2FbvyX0K3NO
Kl4WhnhvqqMVGXgwHwYDVR0jBBgwFoAUB2FbvyX0K3NOKl4WhnhvqqMVGXgwFAYD
VR0RBA0wC4IJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQD
AgKEMAoGCCqGSM49BAMCA0gAMEUCIDTZl01Wh2Lk6ZW7nqb8tFlwicmZDtwbf9Km
009HrNcwAiEA+eXDh6r9EbcJL48bS9LPKNg9TqejlXQ+DJTWOwHOWGA=
-----END CERTIFICATE-----`

export const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCxB//tsU63yt3dpz
tDQieF826PDuWg4xoSPVYpOVkcehRANCAASlauXYZOXOjSBVkh3zBoJ6qgCZINjS
Bjs1qwh5ldLvmBGvTHIOgonjt9oFnCR5KAS+LHJBy2tIxlDonhM5F2C8
-----END PRIVATE KEY-----`

/** With the same key, good on 2020-01-01 alone: by `openssl ca -selfsign -startdate 20200101000000Z -enddate 20200102000000Z`. */
export const EXPIRED = `-----BEGIN CERTIFICATE-----
MIIBYDCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwHhcNMjAwMTAxMDAwMDAwWhcNMjAwMTAyMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASlauXYZOXOjSBVkh3z
BoJ6qgCZINjSBjs1qwh5ldLvmBGvTHIOgonjt9oFnCR5KAS+LHJBy2tIxlDonhM5
F2C8o0gwRjAUBgNVHREEDTALgglsb2NhbGhvc3QwDwYDVR0TAQH/BAUwAwEB/zAd
BgNVHQ4EFgQUB2FbvyX0K3NOKl4WhnhvqqMVGXgwCgYIKoZIzj0EAwIDSQAwRgIh
APb0i0cIbr+iQ6aEQOaQIv7BjSV1sVY74hFke7EbmjToAiEAm+BzesKpcujutSKf
wgiBvrv29/MjGVeXampZFVs/gh8=
-----END CERTIFICATE-----`

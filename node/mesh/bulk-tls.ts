/** TLS 1.3 with a pre-shared key as both ends of the data plane speak it. Without `ciphers`, ChaCha20 would be chosen. */
export const tlsSettings = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

//! Can a key ring, a store or a lock stop the program? What can be read must say the same when read again.
#![no_main]

use labtriage_identity::{KeyRing, Lock, NhsNumber, Unlock, Vault};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Unlock::passphrase("p".to_owned()).open(bytes);
    let _ = Vault::read(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Lock::recipients(text, "recipients.txt");
    let ring = KeyRing::parse(text, "keys");
    if let Ok(number) = NhsNumber::parse(text) {
        assert_eq!(NhsNumber::parse(number.expose_digits()), Ok(number));
        if let Ok(ring) = ring {
            assert!(ring.recognises(&ring.pseudonym(&number), &number));
        }
    }
});

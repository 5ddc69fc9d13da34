//! Which states can a sample, a line, a recall notice or an override be in?

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every state there is, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word used in the ledger, in files and in messages.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

states! {
    /// What a container is now.
    SampleState {
        /// First seen, nothing decided yet.
        Received "received",
        /// Keeps, and waits for capacity.
        Waiting "waiting",
        /// Waits for a person, or under a hold.
        Held "held",
        /// At least one of its lines has a slot.
        Scheduled "scheduled",
        /// Sent to another laboratory.
        Transferred "transferred",
        /// Every line is run or needs no run; results are not all out.
        Tested "tested",
        /// Every line is answered.
        Reported "reported",
        /// No line can be run any more; kept for the policy's minimum hold.
        Expired "expired",
        /// Proposed for discard; a person decides.
        DiscardProposed "discard proposed",
        /// A person, or two where two are needed, has authorised the discard.
        DiscardAuthorised "discard authorised",
        /// A person has rejected the proposal.
        DiscardRejected "discard rejected",
        /// Thrown away, by whom stands in its record.
        Disposed "disposed",
        /// Gone from the extract without result or disposal: a person looks for it.
        Missing "missing",
    }
}

states! {
    /// What a test line is now.
    LineState {
        /// First seen, nothing decided yet.
        Received "received",
        /// Waits for capacity.
        Waiting "waiting",
        /// Waits for a person, or under a hold.
        Held "held",
        /// Has a slot.
        Scheduled "scheduled",
        /// On its way to, or at, another laboratory.
        Transferred "transferred",
        /// Run; its result is not out.
        Tested "tested",
        /// Its result exists and could not be reported.
        ProcessedNotReportable "processed, not reportable",
        /// Its result is out.
        Reported "reported",
        /// Cannot be run any more.
        Expired "expired",
        /// Its patient is to be called back.
        Recalled "recalled",
        /// Its patient has a visit booked.
        Booked "booked",
        /// Its patient has been bled again; the new tube has a record of its own.
        ReBled "re-bled",
        /// Needs no test.
        Cancelled "cancelled",
    }
}

states! {
    /// What has become of a recall notice.
    NoticeState {
        /// Sent or to be sent; no answer yet.
        Open "open",
        /// The practice has booked the visit.
        Booked "booked",
        /// The patient has been bled again.
        Done "done",
        /// The patient or the practice has declined.
        Declined "declined",
        /// The patient is not of this practice.
        NotOurs "not ours",
        /// Not needed any more.
        Withdrawn "withdrawn",
    }
}

states! {
    /// Whether an override is in force.
    OverrideState {
        /// In force until its end.
        InForce "in force",
        /// Ended by its time or by a person.
        Ended "ended",
    }
}

impl NoticeState {
    /// Whether the patient's visit is still to come: such a notice keeps the patient from another one.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Booked)
    }
}

impl LineState {
    /// Whether its patient is called back for it.
    pub const fn is_recall(self) -> bool {
        matches!(self, Self::Recalled | Self::Booked | Self::ReBled)
    }
}

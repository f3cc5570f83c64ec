//! The words of the first data.

#[rustfmt::skip]
pub(crate) const NAMES: [&str; 50] = [
    "Ada Winter", "Ben Okafor", "Carla Mendes", "Daniel Roth", "Elena Petrova",
    "Farid Nazari", "Greta Holm", "Hugo Lefevre", "Ines Costa", "Jonas Berg",
    "Kaja Nowak", "Liam Byrne", "Mira Patel", "Nils Eriksen", "Olga Sokol",
    "Pablo Ruiz", "Quinn Harper", "Rosa Bianchi", "Samir Haddad", "Tilda Svensson",
    "Umar Farouk", "Vera Novak", "Willem Visser", "Xenia Popov", "Yara Aziz",
    "Zoe Keller", "Anton Weiss", "Bianca Ferri", "Cem Yilmaz", "Dora Toth",
    "Emil Larsen", "Fiona Gallagher", "Georg Maier", "Hana Sato", "Ivan Horvat",
    "Judith Stein", "Karim Benali", "Lotte Jansen", "Marco Greco", "Nadia Rahman",
    "Oscar Lind", "Petra Vogel", "Rafael Silva", "Sofia Marin", "Theo Dubois",
    "Ulla Nielsen", "Victor Ionescu", "Wanda Kowal", "Yusuf Demir", "Zora Babic",
];

#[rustfmt::skip]
pub(crate) const CITIES: [&str; 10] = [
    "Bergen", "Bologna", "Cork", "Ghent", "Graz", "Leipzig", "Lyon", "Porto", "Tartu", "Utrecht",
];

pub(crate) const BIOS: [&str; 8] = [
    "Answers late, but answers.",
    "Bakes bread on Sundays and talks about it until Thursday.",
    "Keeps the minutes, the keys and the good coffee.",
    "Rides to work in any weather.",
    "Sings second alto. Loudly.",
    "Has read the manual.",
    "Collects maps of places that no longer exist.",
    "New in town and happy about every tip.",
];

#[rustfmt::skip]
pub(crate) const SUBJECTS: [&str; 12] = [
    "Team lunch", "Garden party", "Book club", "Bike tour", "Choir practice", "Board games",
    "Photo walk", "Football", "Flea market", "Language exchange", "Film night", "Summer trip",
];

#[rustfmt::skip]
pub(crate) const OCCASIONS: [&str; 10] = [
    "on Friday", "by the lake", "after work", "with guests", "in the old town", "for beginners",
    "at the harbour", "next week", "in spring", "with the neighbours",
];

pub(crate) const MESSAGES: [&str; 48] = [
    "Good morning! Who is in?",
    "I can be there at six, maybe ten minutes later.",
    "Shall we move it by an hour? The train is late again.",
    "Fine with me.",
    "I have put everything into the shared folder, have a look when you find the time.",
    "Could someone bring a long extension cord?",
    "Yes, I have one in the cellar.",
    "The forecast says rain, but only until noon.",
    "Then let us decide at twelve.",
    "I asked at the front desk: the room is free until nine in the evening.",
    "Great, thank you for asking!",
    "Does anybody still have the list from last time?",
    "It is pinned at the top of this conversation.",
    "Found it, thanks.",
    "I am bringing my sister, she has heard so much about you all.",
    "The more the merrier.",
    "Please tell me by tomorrow whether you eat meat, I am going to the market early.",
    "Vegetarian here, and no mushrooms please.",
    "I eat everything except liquorice.",
    "How do we get there? The bridge is closed for repairs.",
    "There is a bus every twenty minutes from the station, line 14.",
    "I have two seats left in the car.",
    "One for me, please!",
    "Taken, see you at the corner at half past five.",
    "We are eleven now. Is the table big enough?",
    "We can push two together, they know us there.",
    "I paid for everyone, that makes 12.50 each. No hurry.",
    "Sent it just now.",
    "Me too, with a little extra for the good idea.",
    "The photos are online. The third one is my favourite.",
    "You can even see the lighthouse in the background.",
    "Has anyone seen a grey scarf? I must have left it on the chair.",
    "It is with me, I will bring it next time.",
    "You saved my week.",
    "I will be away until the 20th, please go ahead without me.",
    "Enjoy it, and send us a postcard!",
    "Reminder: we start on time, because they close the gate at eight.",
    "My phone was off, I have read it all now. Sorry for the silence.",
    "No problem, nothing is decided yet.",
    "I would vote for the second option, it is cheaper and closer.",
    "Same here.",
    "Then it is settled: the second option.",
    "I have reserved for ten people under the name of Winter.",
    "What a lovely evening that was, thank you all.",
    "Same time next month?",
    "I have marked it in the calendar, with 100% attendance as usual.",
    "Let us keep the evening_plan document up to date from now on.",
    "Good night, everybody.",
];

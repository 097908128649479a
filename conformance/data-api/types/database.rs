pub mod shop {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Self_ {
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct AB {
        pub id: i32,
        pub note: Option<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct AB_2 {
        pub id: i32,
        pub other: Option<i32>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Buyers {
        pub id: Option<i64>,
        pub mail: Option<String>,
        pub mood: Option<String>,
    }

    /// Who buys. And */ who
    /// only looks.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Customer {
        pub id: i64,
        pub r#ref: i32,
        pub mail: String,
        pub mail_length: Option<i32>,
        pub mood: String,
        pub moods: Vec<String>,
        pub maybe: Option<String>,
        pub odd: Option<String>,
        pub balance: Option<i32>,
        pub address: Option<serde_json::Value>,
        pub addresses: Option<Vec<serde_json::Value>>,
        pub scores: Vec<serde_json::Number>,
        pub short: String,
        pub born: Option<String>,
        pub extra: serde_json::Value,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Kept {
        pub id: Option<i64>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Order {
        pub id: String,
        pub customer_id: i64,
        pub r#type: Option<String>,
        #[serde(rename = "self")]
        pub self_: Option<String>,
        #[serde(rename = "a b")]
        pub a_b: Option<String>,
        #[serde(rename = "a_b")]
        pub a_b_2: Option<String>,
        #[serde(rename = "it's \"quoted\"")]
        pub it_s__quoted_: Option<String>,
        #[serde(rename = "größe")]
        pub gr__e: Option<f32>,
        #[serde(rename = "日本")]
        pub __: Option<bool>,
        #[serde(rename = "1st")]
        pub _1st: Option<i32>,
        #[serde(rename = "back\\slash")]
        pub back_slash: Option<String>,
        pub r#fn: Option<i32>,
        #[serde(rename = "$")]
        pub ___2: Option<i32>,
        pub constructor: Option<String>,
        pub r#do: Option<String>,
        pub r#gen: Option<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Parted {
        pub id: Option<i32>,
        pub at: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Totals {
        pub customer_id: Option<i64>,
        pub orders: Option<i64>,
    }
}
pub mod odd_schema {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct TaBle {
        #[serde(rename = "Co.lumn")]
        pub Co_lumn: Option<Vec<String>>,
    }
}

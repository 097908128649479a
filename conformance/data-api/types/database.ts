export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  shop: {
    Tables: {
      Self: {
        Row: {
        }
        Insert: {
        }
        Update: {
        }
        Relationships: [
        ]
      }
      "a b": {
        Row: {
          id: number
          note: string | null
        }
        Insert: {
          id: number
          note?: string | null
        }
        Update: {
          id?: number
          note?: string | null
        }
        Relationships: [
          { foreignKeyName: "a b_id_fkey"; columns: ["id"]; isOneToOne: true; referencedRelation: "buyers"; referencedColumns: ["id"] },
          { foreignKeyName: "a b_id_fkey"; columns: ["id"]; isOneToOne: true; referencedRelation: "customer"; referencedColumns: ["id"] },
          { foreignKeyName: "a b_id_fkey"; columns: ["id"]; isOneToOne: true; referencedRelation: "kept"; referencedColumns: ["id"] },
        ]
      }
      a_b: {
        Row: {
          id: number
          other: number | null
        }
        Insert: {
          id: number
          other?: number | null
        }
        Update: {
          id?: number
          other?: number | null
        }
        Relationships: [
          { foreignKeyName: "a_b_other_fkey"; columns: ["other"]; isOneToOne: false; referencedRelation: "a b"; referencedColumns: ["id"] },
        ]
      }
      customer: {
        Row: {
          id: number
          ref: number
          mail: string
          mail_length: number | null
          mood: Database["shop"]["Enums"]["mood"]
          moods: Database["shop"]["Enums"]["mood"][]
          maybe: Database["shop"]["Enums"]["mood"] | null
          odd: Database["odd schema"]["Enums"]["Odd.Enum"] | null
          balance: number | null
          address: Database["shop"]["CompositeTypes"]["place"] | null
          addresses: Database["shop"]["CompositeTypes"]["place"][] | null
          scores: number[]
          short: string
          born: string | null
          extra: Json
        }
        Insert: {
          id?: never
          ref?: number
          mail: string
          mail_length?: never
          mood?: Database["shop"]["Enums"]["mood"]
          moods: Database["shop"]["Enums"]["mood"][]
          maybe?: Database["shop"]["Enums"]["mood"] | null
          odd?: Database["odd schema"]["Enums"]["Odd.Enum"] | null
          balance?: number | null
          address?: Database["shop"]["CompositeTypes"]["place"] | null
          addresses?: Database["shop"]["CompositeTypes"]["place"][] | null
          scores?: number[]
          short: string
          born?: string | null
          extra?: Json
        }
        Update: {
          id?: never
          ref?: number
          mail?: string
          mail_length?: never
          mood?: Database["shop"]["Enums"]["mood"]
          moods?: Database["shop"]["Enums"]["mood"][]
          maybe?: Database["shop"]["Enums"]["mood"] | null
          odd?: Database["odd schema"]["Enums"]["Odd.Enum"] | null
          balance?: number | null
          address?: Database["shop"]["CompositeTypes"]["place"] | null
          addresses?: Database["shop"]["CompositeTypes"]["place"][] | null
          scores?: number[]
          short?: string
          born?: string | null
          extra?: Json
        }
        Relationships: [
        ]
      }
      order: {
        Row: {
          id: string
          customer_id: number
          type: string | null
          self: string | null
          "a b": string | null
          a_b: string | null
          "it's \"quoted\"": string | null
          "größe": number | null
          "日本": boolean | null
          "1st": number | null
          "back\\slash": string | null
          fn: number | null
          "$": number | null
          constructor: string | null
          do: string | null
          gen: string | null
        }
        Insert: {
          id?: string
          customer_id: number
          type?: string | null
          self?: string | null
          "a b"?: string | null
          a_b?: string | null
          "it's \"quoted\""?: string | null
          "größe"?: number | null
          "日本"?: boolean | null
          "1st"?: number | null
          "back\\slash"?: string | null
          fn?: number | null
          "$"?: number | null
          constructor?: string | null
          do?: string | null
          gen?: string | null
        }
        Update: {
          id?: string
          customer_id?: number
          type?: string | null
          self?: string | null
          "a b"?: string | null
          a_b?: string | null
          "it's \"quoted\""?: string | null
          "größe"?: number | null
          "日本"?: boolean | null
          "1st"?: number | null
          "back\\slash"?: string | null
          fn?: number | null
          "$"?: number | null
          constructor?: string | null
          do?: string | null
          gen?: string | null
        }
        Relationships: [
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "buyers"; referencedColumns: ["id"] },
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "customer"; referencedColumns: ["id"] },
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "kept"; referencedColumns: ["id"] },
        ]
      }
      parted: {
        Row: {
          id: number | null
          at: string
        }
        Insert: {
          id?: number | null
          at: string
        }
        Update: {
          id?: number | null
          at?: string
        }
        Relationships: [
        ]
      }
    }
    Views: {
      buyers: {
        Row: {
          id: number | null
          mail: string | null
          mood: Database["shop"]["Enums"]["mood"] | null
        }
        Insert: {
          id?: number | null
          mail?: string | null
          mood?: Database["shop"]["Enums"]["mood"] | null
        }
        Update: {
          id?: number | null
          mail?: string | null
          mood?: Database["shop"]["Enums"]["mood"] | null
        }
        Relationships: [
        ]
      }
      kept: {
        Row: {
          id: number | null
        }
        Relationships: [
        ]
      }
      totals: {
        Row: {
          customer_id: number | null
          orders: number | null
        }
        Relationships: [
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "buyers"; referencedColumns: ["id"] },
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "customer"; referencedColumns: ["id"] },
          { foreignKeyName: "order_customer_id_fkey"; columns: ["customer_id"]; isOneToOne: false; referencedRelation: "kept"; referencedColumns: ["id"] },
        ]
      }
    }
    Functions: {
      add: { Args: { a: number; b?: number }; Returns: number } | { Args: { a: string; c: string }; Returns: string }
      anything: { Args: Record<PropertyKey, never>; Returns: Record<string, unknown>[] }
      body: { Args: { "": Json }; Returns: Json }
      cents: { Args: Record<PropertyKey, never>; Returns: number }
      customers_of: { Args: { mood: Database["shop"]["Enums"]["mood"] }; Returns: Database["shop"]["Tables"]["customer"]["Row"][]; SetofOptions: { from: "*"; to: "customer"; isOneToOne: false; isSetofReturn: true } }
      first_customer: { Args: Record<PropertyKey, never>; Returns: Database["shop"]["Tables"]["customer"]["Row"]; SetofOptions: { from: "*"; to: "customer"; isOneToOne: true; isSetofReturn: false } }
      ints: { Args: { n: number[] }; Returns: number[] }
      lines: { Args: { n: number }; Returns: { line: string; mood: Database["shop"]["Enums"]["mood"] }[] }
      moods: { Args: Record<PropertyKey, never>; Returns: Database["shop"]["Enums"]["mood"][] }
      move: { Args: { to_place: Database["shop"]["CompositeTypes"]["place"]; who: Database["shop"]["Tables"]["customer"]["Row"] }; Returns: Database["shop"]["CompositeTypes"]["place"] }
      nothing: { Args: Record<PropertyKey, never>; Returns: undefined }
      odd: { Args: { "odd name": Database["odd schema"]["Enums"]["Odd.Enum"] }; Returns: Database["odd schema"]["Enums"]["Odd.Enum"] }
      only: { Args: Record<PropertyKey, never>; Returns: { x: number } }
      pair: { Args: Record<PropertyKey, never>; Returns: { x: number; "y z": string } }
    }
    Enums: {
      mood: "sad" | "it's \"ok\"" | "größer" | ""
    }
    CompositeTypes: {
      place: { street: string | null; "zip code": number | null; moods: Database["shop"]["Enums"]["mood"][] | null }
    }
  }
  "odd schema": {
    Tables: {
      "Ta.ble": {
        Row: {
          "Co.lumn": Database["odd schema"]["Enums"]["Odd.Enum"][] | null
        }
        Insert: {
          "Co.lumn"?: Database["odd schema"]["Enums"]["Odd.Enum"][] | null
        }
        Update: {
          "Co.lumn"?: Database["odd schema"]["Enums"]["Odd.Enum"][] | null
        }
        Relationships: [
        ]
      }
    }
    Views: {
    }
    Functions: {
    }
    Enums: {
      "Odd.Enum": "a" | "b"
    }
    CompositeTypes: {
    }
  }
}
